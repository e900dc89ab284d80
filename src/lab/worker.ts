/** The entry of a sweep's worker: one machine at a time, each result sent back as it is ready. */
export {};
