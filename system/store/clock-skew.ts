/** What was written by another process's clock, or by this one's before it was put back. */

/** Far more than clocks that a time service keeps differ by, and short enough to be waited for after a step that is smaller. */
export const clockSkewMsMax = 5000;
