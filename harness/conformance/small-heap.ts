/** A heap that is small and young: with Node's own sizes it collects nothing for a dozen rounds, and garbage looks like a leak. */
export const smallHeap: Readonly<Record<string, string>> = { NODE_OPTIONS: '--max-old-space-size=80 --max-semi-space-size=2' };
