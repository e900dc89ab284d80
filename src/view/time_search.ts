/**
 * How each condition is watched for.
 *
 * Owns      the way from a condition to a search: by tracepoints, which many steps are made at once for, or by a look after each step.
 * Promises  Whether it happens in a step depends on that step alone: on the state before it, the state after it and the tracepoints in it.
 *           So it is the same whichever checkpoint a search began at.
 */
import { Replay } from '../lab/replay.ts';
import { type Player, type Search, tracepointSearch } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import { type Pfn, vpnOf } from '../mm/units.ts';
import type { Condition, FrameChange, KindName, Mark } from './conditions.ts';
import { actorOf, EventWatch } from './time_events.ts';

/** Kinds that only the counters tell. */
const AFTER_STEPS: ReadonlySet<KindName> = new Set(['minor_fault', 'swap_in', 'refault', 'fork', 'exit', 'call']);

export function searchOf(condition: Condition): Search<Player> {
  switch (condition.kind) {
    case 'event': {
      const names = new Set<string>(condition.names);
      return tracepointSearch((name) => names.has(name));
    }
    case 'happens':
      return kindSearch(condition.what);
    case 'process':
      return tracepointSearch(
        (name, _values, player) => name === 'page_fault_user' && actorOf(player) === condition.pid,
      );
    case 'page': {
      const page = vpnOf(condition.address);
      return tracepointSearch(
        (name, values, player) =>
          name === 'page_fault_user' && vpnOf(values[0]!) === page && actorOf(player) === condition.pid,
      );
    }
    case 'frame':
      return condition.change === 'evicted' ? evictionOf(condition.pfn) : changeOf(condition.pfn, condition.change);
    case 'free':
      return becomes((player) => isBelow(player.machine, condition.zone, condition.below));
    case 'limit':
      return grows((player) => (player instanceof Replay ? player.memcg.memory.failcnt : 0));
  }
}

function kindSearch(kind: KindName): Search<Player> {
  return (player, happened) => {
    const watch = new EventWatch(player, (happening) => {
      if (happening.kind === kind) happened();
    });
    const listen = () => watch.listen();
    return AFTER_STEPS.has(kind) ? { listen, afterStep: () => watch.afterStep() } : { listen };
  };
}

function evictionOf(pfn: number): Search<Player> {
  return (player, happened) => {
    const watch = new EventWatch(player, ({ kind, pfn: first, count }) => {
      if (kind === 'eviction' && first !== null && first <= pfn && pfn < first + count) happened();
    });
    return { listen: () => watch.listen() };
  };
}

/** Of a value before and after each step. */
function changes<V>(read: (player: Player) => V, isIt: (before: V, after: V) => boolean): Search<Player> {
  return (player, happened) => {
    let before = read(player);
    return {
      listen: () => () => {},
      afterStep: () => {
        const after = read(player);
        if (isIt(before, after)) happened();
        before = after;
      },
    };
  };
}

function becomes(holds: (player: Player) => boolean): Search<Player> {
  return changes(holds, (before, after) => after && !before);
}

function grows(count: (player: Player) => number): Search<Player> {
  return changes(count, (before, after) => after > before);
}

function changeOf(pfn: number, change: Exclude<FrameChange, 'evicted'>): Search<Player> {
  const frame = pfn as Pfn;
  if (change === 'mapped') return grows(({ machine }) => machine.frames.mapcount(frame));
  if (change === 'unmapped') return grows(({ machine }) => -machine.frames.mapcount(frame));
  return changes(
    ({ machine }) => listOf(machine, frame),
    (before, after) => before >= 0 && after >= 0 && before !== after,
  );
}

/** The list that a page in use belongs to; -1: the frame is free. On its way from one to another it belongs to the one it left. */
function listOf(machine: Machine, pfn: Pfn): number {
  return machine.frames.refcount(pfn) === 0 ? -1 : machine.lru.listOf(pfn);
}

function isBelow(machine: Machine, zone: number | null, below: Mark | number): boolean {
  let free = 0;
  let mark = typeof below === 'number' ? below : 0;
  for (const { index, freePages, wmarkMin, wmarkLow, wmarkHigh } of machine.zones) {
    if (zone !== null && index !== zone) continue;
    free += freePages;
    if (below === 'min') mark += wmarkMin;
    else if (below === 'low') mark += wmarkLow;
    else if (below === 'high') mark += wmarkHigh;
  }
  return free < mark;
}
