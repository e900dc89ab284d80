/**
 * What a published number is here: who said it and when, what is run to get it again, and what came of that.
 *
 * Promises  A figure of the engine is counted while the engine runs, never computed from the published one.
 */

export interface Figure {
  readonly what: string;
  readonly published: string;
  readonly engine: string;
  /** `exact`: the same number. `holds`: a bound or a direction that was published, and is so here. `differs`: see the remark. */
  readonly verdict: 'exact' | 'holds' | 'differs' | 'quoted';
}

export interface PublishedNumber {
  readonly name: string;
  /** `commit 5beb49305251` or where the mail or article is. */
  readonly source: string;
  /** 2010-03-06 */
  readonly date: string;
  /** What is run. */
  readonly how: string;
  /** Why a figure is not reproduced to the digit; what a reader should know. */
  readonly remark?: string;
  /** Takes more than a second or two; the tests leave it to the bench. */
  readonly slow?: boolean;
  run(): readonly Figure[];
}

export const WEB_COMMIT = 'https://git.kernel.org/torvalds/c/';

export function commit(hash: string): string {
  return `[commit ${hash}](${WEB_COMMIT}${hash})`;
}

/** A number that must come out as it was published. */
export function exactly(what: string, published: number | string, engine: number | string): Figure {
  const [want, got] = [shown(published), shown(engine)];
  return { what, published: want, engine: got, verdict: want === got ? 'exact' : 'differs' };
}

/** A bound or a direction. */
export function holds(what: string, published: string, engine: number | string, held: boolean): Figure {
  return { what, published, engine: shown(engine), verdict: held ? 'holds' : 'differs' };
}

/** A number that no simulation can have, such as seconds of somebody's machine. */
export function quoted(what: string, published: string, engine: number | string): Figure {
  return { what, published, engine: shown(engine), verdict: 'quoted' };
}

/** Every figure that can be had here is the published one to the digit. */
export function isExact(figures: readonly Figure[]): boolean {
  return figures.some(({ verdict }) => verdict === 'exact') && figures.every(({ verdict }) => verdict !== 'differs');
}

export function shown(value: number | string): string {
  return typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 3 }) : value;
}

/** `3 … 17`, or the number if both are the same. */
export function range(low: number, high: number): string {
  return low === high ? shown(low) : `${shown(low)} … ${shown(high)}`;
}
