/** Stand-in: its builder replaces it. */
export const spacesQueries = {} as const;
