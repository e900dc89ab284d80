/**
 * Frames of one category as ranges, page by page of a table.
 *
 * Promises  Pure, over the bytes of an answer: what draws the picture lists it, too.
 */

interface FrameRange {
  readonly first: number;
  readonly last: number;
}

interface RangePage {
  readonly ranges: readonly FrameRange[];
  /** Where the next page begins; null: that was all. */
  readonly next: number | null;
}

/** At most `most` ranges of frames of category `place`, from frame `from` on. */
export function rangesOf(categories: Uint8Array, place: number, from: number, most: number): RangePage {
  const ranges: FrameRange[] = [];
  let first = categories.indexOf(place, from);
  while (first >= 0) {
    if (ranges.length === most) return { ranges, next: first };
    let last = first;
    while (categories[last + 1] === place) last += 1;
    ranges.push({ first, last });
    first = categories.indexOf(place, last + 1);
  }
  return { ranges, next: null };
}

/** Frames of each category in each zone: rows are zones, columns places of the legend. */
export function countsByZone(
  categories: Uint8Array,
  zones: readonly { readonly first: number; readonly end: number }[],
  places: number,
): Uint32Array[] {
  return zones.map(({ first, end }) => {
    const counts = new Uint32Array(places);
    for (let pfn = first; pfn < end; pfn++) counts[categories[pfn]!]! += 1;
    return counts;
  });
}

/** 1 for each frame whose category is another one than before; places of the two legends are told apart by their keys. */
export function changedFrames(
  before: { readonly categories: Uint8Array; readonly legend: readonly { readonly key: string }[] },
  after: { readonly categories: Uint8Array; readonly legend: readonly { readonly key: string }[] },
): Uint8Array {
  const places = new Map(after.legend.map(({ key }, place) => [key, place]));
  const same = Uint8Array.from(before.legend, ({ key }) => places.get(key) ?? 255);
  const changed = new Uint8Array(after.categories.length);
  for (let pfn = 0; pfn < changed.length; pfn++) {
    if (same[before.categories[pfn]!] !== after.categories[pfn]) changed[pfn] = 1;
  }
  return changed;
}
