/** Page numbers with the frequencies of Zipf's law: the k-th page has 1/k of the first one's. */

/** `length` of `pages` pages, numbered in the order of their first access. The same seed gives the same. */
export function zipfPages(pages: number, length: number, seed: number): { ids: Int32Array; pages: number } {
  const sums = new Float64Array(pages);
  for (let k = 0; k < pages; k++) sums[k] = (sums[k - 1] ?? 0) + 1 / (k + 1);
  const all = sums[pages - 1]!;
  const numbers = new Int32Array(pages).fill(-1);
  let met = 0;
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const ids = Int32Array.from({ length }, () => {
    const rank = rankOf(sums, ((random() + random() / 2 ** 32) / 2 ** 32) * all);
    if (numbers[rank] === -1) numbers[rank] = met++;
    return numbers[rank]!;
  });
  return { ids, pages: met };
}

/** The first rank whose sum reaches `wanted`. */
function rankOf(sums: Float64Array, wanted: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
