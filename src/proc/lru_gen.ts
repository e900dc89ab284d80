/**
 * /sys/kernel/debug/lru_gen: how old the pages of each cgroup are.
 *
 *     memcg     2 /program
 *      node     0
 *               3        120       1912          38      sequence number, age in ms, anonymous and file pages
 *               4         64          0           6
 *
 * Linux     6.18 mm/vmscan.c: lru_gen_seq_show
 */
import type { Lruvec } from '../mm/lruvec.ts';
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';

const JIFFY_NS = 4_000_000;
const JIFFY_MS = 4;

/** Empty on a machine without generations: the kernel that has lists of active pages shows none. */
export function lruGen(machine: Machine): string {
  return machine.multiGen === null ? '' : tree(machine, machine.rootMemcg);
}

function tree(machine: Machine, memcg: MemCgroup): string {
  let text = `memcg ${String(memcg.id).padStart(5)} ${pathOf(memcg)}\n`;
  for (const lruvec of memcg.lruvecs) text += node(machine, lruvec);
  for (const child of memcg.children) text += tree(machine, child);
  return text;
}

function pathOf(memcg: MemCgroup): string {
  const { parent } = memcg;
  if (parent === null) return '/';
  return parent.parent === null ? `/${memcg.name}` : `${pathOf(parent)}/${memcg.name}`;
}

function node(machine: Machine, { lruGen: generations, pgdat }: Lruvec): string {
  if (generations === null) return '';
  const { minSeq, maxSeq, timestamps } = generations;
  let text = ` node ${String(pgdat.nid).padStart(5)}\n`;
  for (let seq = Math.min(minSeq[0]!, minSeq[1]!); seq <= maxSeq; seq++) {
    const birth = timestamps[seq % timestamps.length]!;
    const age = (Math.floor(machine.clock.now / JIFFY_NS) - Math.floor(birth / JIFFY_NS)) * JIFFY_MS;
    text += ` ${column(seq)} ${column(age)}`;
    for (const type of [0, 1]) text += ` ${column(generations.size(seq, type))} `;
    text += '\n';
  }
  return text;
}

function column(value: number): string {
  return String(value).padStart(10);
}
