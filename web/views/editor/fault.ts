/** What is wrong with a text, and what of it was so before. */
export interface Fault {
  /** From 1; 0: no line is named. */
  readonly line: number;
  readonly reason: string;
}

/** `program.mmp:12: reason`, or words without a line. */
export function faultOf(message: string | null): Fault {
  const found = /^[^:]*:(\d+): ([\s\S]*)$/.exec(message ?? '');
  if (found !== null) return { line: Number(found[1]), reason: found[2]! };
  return { line: 0, reason: (message ?? 'it could not be run').replace(/^program\.mmp: /, '') };
}

/** How many lines two texts have in common at their beginning. */
export function sameLines(one: string, other: string): number {
  const ours = one.split('\n');
  const theirs = other.split('\n');
  const differs = ours.findIndex((line, n) => line !== theirs[n]);
  return differs < 0 ? ours.length : differs;
}
