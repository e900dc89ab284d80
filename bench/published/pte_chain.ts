/** The reverse map of 2.5: what each mapping costs in memory, and that a walk meets nothing in vain. */
import { generationNamed } from '../../src/mm/generations/index.ts';
import { CHAIN_P3, CHAIN_P4, CHAIN_SINGLE, type ChainLayout, PteChainRmap } from '../../src/mm/rmap/pte_chain.ts';
import { Space } from '../../test/space.ts';
import { exactly, type PublishedNumber } from './number.ts';

const MIB = 2 ** 20;
const KERNEL = '2.5.59';
const PAGES = 100;

/** Pages that so many processes map: the blocks of all, and their bytes. */
function mapped(layout: ChainLayout, pages: number, mappings: number): { blocks: number; bytes: number } {
  const recipe = generationNamed(KERNEL);
  const generation = { ...recipe, newRmap: (machine: Space['machine']) => new PteChainRmap(machine, layout) };
  const space = new Space({ kernel: KERNEL, generation, ramBytes: 64 * MIB });
  space.map(0, pages);
  space.storeAll(0, pages);
  const rmap = space.machine.rmap as PteChainRmap;
  for (let i = 1; i < mappings; i++) space.fork();
  return { blocks: rmap.blocks, bytes: rmap.chainBytes };
}

/** The most processes that can map a page whose entries are in one block. */
function entriesOfBlock(layout: ChainLayout): number {
  let mappings = 2;
  while (mapped(layout, 1, mappings + 1).blocks === 1) mappings += 1;
  return mappings;
}

export const pteChains: PublishedNumber = {
  name: 'What a pte_chain costs',
  source: '[LWN, Speeding up reverse mapping](https://lwn.net/Articles/9555)',
  date: '2002-09',
  how:
    'A page is mapped by more and more processes, until its chain needs a second block, with cache lines of 32 bytes (Pentium III) and of 128 bytes ' +
    `(Pentium 4). Then ${PAGES} pages are mapped once, and by eight processes with the two pointers for each mapping that were before.`,
  run() {
    const before = mapped(CHAIN_SINGLE, PAGES, 8);
    return [
      exactly('entries in a pte_chain with lines of 32 bytes (“between seven”)', 7, entriesOfBlock(CHAIN_P3)),
      exactly('entries in a pte_chain with lines of 128 bytes (“and 31”)', 31, entriesOfBlock(CHAIN_P4)),
      exactly('bytes of chains for pages that are mapped once', 0, mapped(CHAIN_P3, PAGES, 1).bytes),
      exactly('bytes for each mapping before: two pointers', 8, before.bytes / (PAGES * 8)),
    ];
  },
};
