/** Stand-in: its builder replaces it. */
export const hostQueries = {} as const;
