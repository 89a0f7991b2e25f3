/** What the ruler's piece of work takes on a quiet machine of those that the README's figures come from. */
export const workMsNominal = 5.6;
