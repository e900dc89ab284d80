/** A number then and now, and what to call the change. */
export interface Pair {
  readonly before: number;
  readonly after: number;
}

export type Change = 'came' | 'went' | 'changed';

/** By how many there are. */
export function changeOf({ before, after }: Pair): Change {
  return before === 0 && after > 0 ? 'came' : after === 0 && before > 0 ? 'went' : 'changed';
}

/** The larger change first. */
export function byChange(x: Pair, y: Pair): number {
  return Math.abs(y.after - y.before) - Math.abs(x.after - x.before);
}

export interface NamedPair extends Pair {
  readonly name: string;
}

/** Names with numbers, then and now: those that differ, the larger change first. */
export function diffCounts(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): NamedPair[] {
  const pairs: NamedPair[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const pair = { name, before: before.get(name) ?? 0, after: after.get(name) ?? 0 };
    if (pair.before !== pair.after) pairs.push(pair);
  }
  return pairs.sort((x, y) => byChange(x, y) || (x.name < y.name ? -1 : 1));
}
