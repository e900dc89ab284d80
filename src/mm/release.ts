/**
 * Releases by number, so that a table can say since when Linux has something.
 */

/** Whether `version` is `since` or later: numbers between points, from the left. */
export function isSince(version: string, since: string): boolean {
  const have = version.split('.').map(Number);
  const want = since.split('.').map(Number);
  for (let i = 0; i < Math.max(have.length, want.length); i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
