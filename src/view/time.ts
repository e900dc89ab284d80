/** Stand-in: its builder replaces it. */
export const timeQueries = {} as const;
