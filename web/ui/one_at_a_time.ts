/** Runs `work` when called; called while it runs, it runs once more behind it: what is asked for last is never left out. */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let runs = false;
  let waits = false;
  return async () => {
    waits = true;
    if (runs) return;
    runs = true;
    try {
      while (waits) {
        waits = false;
        await work();
      }
    } finally {
      runs = false;
    }
  };
}
