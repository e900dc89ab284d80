/**
 * The multi-generational LRU of a machine: what its parts share.
 *
 * Owns      the rules of the release, the generation of each folio, the lists of address spaces, the order of cgroups.
 * Promises  There is one only on machines built with `mglru`; all others have null in its place.
 * Read      docs/mglru.md for the picture; then lru_gen.ts, aging.ts, walk.ts, eviction.ts
 */
import { InputError } from '../bug.ts';
import type { Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { FolioGens } from './folio_gens.ts';
import { LruGen, MmWalk } from './lru_gen.ts';
import { MemcgLru } from './memcg_lru.ts';
import { MmLists } from './mm_list.ts';
import type { MultiGenRules } from './rules.ts';

export class MultiGen {
  readonly machine: Machine;
  readonly rules: MultiGenRules;
  readonly gens: FolioGens;
  readonly mmLists: MmLists = new MmLists();
  /** The order of cgroups in reclaim of the whole machine, by node. */
  readonly memcgLrus: MemcgLru[] = [];
  /** The walks of whoever reclaims directly, and of kswapd (Task.mmWalk names the one under way). */
  readonly directWalk: MmWalk = new MmWalk();
  readonly kswapdWalk: MmWalk = new MmWalk();
  /** Room for tryToIncMinSeq. */
  readonly minSeq: Float64Array = new Float64Array(2);

  constructor(machine: Machine, rules: MultiGenRules) {
    this.machine = machine;
    this.rules = rules;
    this.gens = new FolioGens(machine.frames.frames);
  }

  /** A cgroup's lists on a node: of generations from now on. */
  adopt(lruvec: Lruvec): void {
    const { frames, clock } = this.machine;
    const { nid } = lruvec.pgdat;
    lruvec.lruGen = new LruGen(frames, clock.now);
    this.memcgLrus[nid] ??= new MemcgLru();
    this.memcgLrus[nid].add(lruvec);
  }
}

/** Of a machine that asks for it; null for others. Kernels that have none refuse. */
export function newMultiGen(machine: Machine): MultiGen | null {
  if (machine.config.mglru !== true) return null;
  const { multiGen, version } = machine.generation;
  if (multiGen === null) {
    throw new InputError('--mglru', 0, `Linux ${version} has no multi-generational LRU (it came with 6.1)`);
  }
  return new MultiGen(machine, multiGen);
}
