/** Stand-in: its builder replaces it. */
export const framesQueries = {} as const;
