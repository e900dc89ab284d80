/** Stand-in: its builder replaces it. */
export const listsQueries = {} as const;
