/** Stand-in: its builder replaces it. */
export const reverseQueries = {} as const;
