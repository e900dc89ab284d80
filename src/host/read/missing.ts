/**
 * What could not be read, grouped.
 *
 * Promises  One row for each pair of what and why, in the order in which they first came.
 */
import type { Missing } from '../snapshot.ts';

export class MissingList {
  private readonly rows = new Map<string, { what: string; why: string; count: number }>();

  /** Null, so that a reader can say in one line that it has nothing. */
  add(what: string, why: string, count = 1): null {
    const key = `${what} ${why}`;
    const row = this.rows.get(key);
    if (row === undefined) this.rows.set(key, { what, why, count });
    else row.count += count;
    return null;
  }

  list(): Missing[] {
    return [...this.rows.values()];
  }
}
