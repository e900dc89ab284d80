/**
 * What a host shows of one frame: the word of /proc/kpageflags bit by bit, kpagecount, kpagecgroup, and who maps it.
 *
 * Promises  A host shows no pointers and no offsets: the bytes of its struct page stay its own.
 */
import { wordOf } from '../host/frames/frame_filter.ts';
import { flagHex } from '../host/frames/frame_words.ts';
import { kpageFlagsInWords } from '../proc/kpage_flags.ts';
import type { StructField, StructPageAnswer } from './struct_page.ts';
import type { HostSubject } from './subject.ts';

/** Names above bit 47 are page-types' own. */
const KERNEL_BITS = 2n ** 48n - 1n;

/** Null where the frames were not read. */
export function structPageOfHost(
  { kinds, snapshot }: HostSubject,
  pfn: number,
): Omit<StructPageAnswer, 'pfn' | 'kernel'> | null {
  if (kinds === null) return null;
  const { frames } = kinds;
  const row = frames.word[pfn]!;
  const word = wordOf(frames.wordsLow[row]!, frames.wordsHigh[row]!);
  const bits = kpageFlagsInWords(Number(word & KERNEL_BITS)).map(({ name, says }, bit) => ({ bit, name, says }));
  const mapcount = frames.mapcount[pfn]!;
  const cgroup = snapshot.cgroups[frames.cgroup[pfn]!]?.path ?? null;
  const shown = (name: string, says: string, raw: string, value: string): StructField => ({
    name,
    type: '64 bits',
    offset: null,
    size: 8,
    says,
    raw,
    value,
  });
  return {
    arch: null,
    bytes: null,
    note: 'A host shows its frames through three files, not struct page itself.',
    fields: [
      {
        ...shown(
          '/proc/kpageflags',
          'The flags of the page in the numbering for user space, which never changes.',
          flagHex(word),
          bits.length === 0 ? 'no flag' : '',
        ),
        bits,
      },
      shown(
        '/proc/kpagecount',
        'Page-table entries that map it.',
        String(mapcount),
        mapcount === 0 ? 'no entry maps it' : `${mapcount} ${mapcount === 1 ? 'entry maps' : 'entries map'} it`,
      ),
      shown(
        '/proc/kpagecgroup',
        'The inode of the memory cgroup that pays for it.',
        cgroup === null ? '0' : String(snapshot.cgroups[frames.cgroup[pfn]!]!.inode),
        cgroup ?? 'charged to nobody, or not shown',
      ),
    ],
  };
}
