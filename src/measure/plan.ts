/**
 * What is measured: which limits under which settings of the kernel.
 *
 * Promises  Limits are whole pages, each once, the widest first; without a peak, shares of it are refused.
 */
import type { Limits } from '../lab/options.ts';
import { limitsBelow, parseLimits } from '../lab/options.ts';
import type { TruthMode } from '../trace/truth.ts';

/** `75%,60%`: shares of what the program takes without a limit. */
export type MeasureLimits = Limits | { shares: number[] };

export const USUAL_SHARES = [0.75, 0.6, 0.45, 0.3];

/** What is wrong as a string. */
export function parseMeasureLimits(text: string): MeasureLimits | string {
  if (!text.includes('%')) return parseLimits(text);
  const shares: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(part.trim());
    const share = Number(match?.[1]) / 100;
    if (!(share > 0 && share <= 4)) return `'${part}' is no share (75%); sizes and shares do not mix`;
    shares.push(share);
  }
  return { shares: [...new Set(shares)].sort((a, b) => b - a) };
}

/** In bytes, whole pages. */
export function limitsFor(limits: MeasureLimits, peakBytes: number): number[] {
  const bytes =
    'shares' in limits
      ? limits.shares.map((share) => peakBytes * share)
      : 'count' in limits
        ? limitsBelow(peakBytes, limits.count)
        : limits.bytes;
  return [...new Set(bytes.map((each) => Math.max(1, Math.floor(each / 4096)) * 4096))].sort((a, b) => b - a);
}

/** Every combination, in the order of the lists. */
export function modesOf(lists: {
  device: readonly TruthMode['device'][];
  mglru: readonly boolean[];
  pageCluster: readonly number[];
  swappiness: readonly number[];
}): TruthMode[] {
  return lists.device.flatMap((device) =>
    lists.mglru.flatMap((mglru) =>
      lists.pageCluster.flatMap((pageCluster) =>
        lists.swappiness.map((swappiness) => ({ device, mglru, pageCluster, swappiness })),
      ),
    ),
  );
}
