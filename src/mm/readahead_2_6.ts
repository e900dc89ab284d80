/**
 * On-demand readahead of 2.6.24: windows of files that are read in order.
 *
 *      |<------ async_size ------>|        request 1:  4 (marker at 1), 8, 16, 32, 32 … pages
 *   |------------- size ------------->|    request 4:  8       request 16:  32
 *   ^start     ^PG_readahead
 *
 *   Who misses where a sequential reader would, or meets the marker, gets the next window: four times the last below 1/16 of the
 *   most, else twice. Who misses elsewhere gets what he asked for. Good at: streams, also several in one file, by their markers.
 *   Bad at: a stream that goes on in the middle of nowhere; it must miss twice.
 *
 * Owns      the decision about the window.
 * Promises  A window is never larger than the most that the file allows.
 * Linux     2.6.24 mm/readahead.c: ondemand_readahead get_init_ra_size get_next_ra_size
 */
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import { doPageCacheRa, getInitRaSize } from './readahead.ts';
import { PAGE_SIZE, type Pgoff } from './units.ts';
import { xaIsPage } from './xarray.ts';

/** The window behind one of `current` pages. */
export function getNextRaSize_2_6(current: number, max: number): number {
  return Math.min(current < Math.floor(max / 16) ? 4 * current : 2 * current, max);
}

/** Page `index` is missing, or with `hitMarker` carries PG_readahead; `requested` pages from there are wanted. */
export function ondemandReadahead_2_6(
  machine: Machine,
  file: File,
  index: Pgoff,
  requested: number,
  hitMarker: boolean,
): void {
  const { ra, mapping } = file;
  const max = ra.raPages;
  if (index !== 0 && (index === ra.start + ra.size - ra.asyncSize || index === ra.start + ra.size)) {
    // Where a sequential reader is expected.
    ra.start += ra.size;
    ra.size = getNextRaSize_2_6(ra.size, max);
    ra.asyncSize = ra.size;
  } else if (hitMarker) {
    // A marker of some other stream on this file: its window ends at the next page that is missing.
    let start = index as number;
    while (start - index <= max && xaIsPage(mapping.pages.load(start))) start += 1;
    if (start - index > max) return;
    ra.start = start;
    ra.size = getNextRaSize_2_6(start - index, max);
    ra.asyncSize = ra.size;
  } else if (requested > max || isSequential(ra.prevPos, index)) {
    ra.start = index;
    ra.size = getInitRaSize(requested, max);
    ra.asyncSize = ra.size > requested ? ra.size - requested : ra.size;
  } else {
    doPageCacheRa(machine, mapping, index, requested, 0);
    return;
  }
  doPageCacheRa(machine, mapping, ra.start as Pgoff, ra.size, ra.asyncSize);
}

/** On the page of the last read's end, or the one behind. Before the first read that is page 0. */
function isSequential(prevPos: number, index: number): boolean {
  const ahead = index - Math.floor(prevPos / PAGE_SIZE);
  return ahead === 0 || ahead === 1;
}
