/**
 * What the view of lists asks: queues and the rule over them, what moved, the verdicts of scans, swap.
 *
 * Owns      which cgroup and place is shown, and the answer for it.
 * Promises  1. Asking changes nothing (the state hash is the same before and after).
 *           2. Lists come in the order in which reclaim takes from them, frames from head to tail.
 * Read      lists_queues.ts, lists_rule.ts, lists_log.ts, lists_moves.ts, lists_generations.ts, lists_swap.ts
 */
import type { Player, Timeline } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import type { Pfn } from '../mm/units.ts';
import {
  NODE_STAT_NAMES,
  NR_INACTIVE_ANON,
  NR_ISOLATED_ANON,
  NR_SWAPCACHE,
  NR_VMSCAN_IMMEDIATE,
  NR_VMSCAN_WRITE,
  NR_WRITEBACK,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_RESTORE_FILE,
} from '../mm/vmstat.ts';
import { type Generations, generationsOf } from './lists_generations.ts';
import { listEvents } from './lists_log.ts';
import { type Flow, type Moves, movesBetween, type Standing, standingOf } from './lists_moves.ts';
import { listsOf, type Place, placesOf, stateOf, type Window, windowOf, youngFrames } from './lists_queues.ts';
import { type Rule, ruleOf } from './lists_rule.ts';
import { swap, swapSlot } from './lists_swap.ts';
import { STAYED } from './lists_words.ts';
import type { MachineSubject, Subject } from './subject.ts';

export interface ListsOptions {
  /** Of a place, as an answer told it; null: where the most pages are. */
  readonly place: string | null;
  /** Frames from each end of each list. */
  readonly window: number;
  /** What moved since that step is told, if it is not the step of now; null: not asked. */
  readonly since: number | null;
}

export interface ListView {
  readonly name: string;
  readonly zone: string | null;
  readonly says: string;
  /** As the kernel counts them. */
  readonly pages: number;
  readonly seq: number | null;
  readonly lru: number;
  readonly window: Window;
  /** For each frame of the window: index into `names` of where it stood before, FROM_NONE or STAYED. */
  readonly from: Uint8Array;
  /** Larger first: what came to this list and what went from it. */
  readonly flows: readonly Flow[];
}

export interface BatchView {
  readonly name: string;
  readonly room: number;
  readonly frames: Int32Array;
  readonly states: Uint16Array;
}

export interface ListsView {
  readonly kernel: string;
  readonly places: readonly { readonly id: string; readonly words: string; readonly pages: number }[];
  readonly place: string;
  readonly lists: readonly ListView[];
  /** Names of lists that `from` of each list means. */
  readonly names: readonly string[];
  readonly batches: readonly BatchView[];
  readonly rule: Rule;
  readonly generations: Generations | null;
  /** Counters of the cgroup in this place, by the kernel's name. */
  readonly counters: readonly { readonly name: string; readonly value: number }[];
  /** What moved is since then; null: nothing to compare with. */
  readonly since: number | null;
}

const COUNTERS: readonly number[] = [
  ...range(NR_INACTIVE_ANON, NR_INACTIVE_ANON + 4),
  ...range(NR_ISOLATED_ANON, NR_ISOLATED_ANON + 1),
  ...range(WORKINGSET_REFAULT_ANON, WORKINGSET_RESTORE_FILE),
  NR_WRITEBACK,
  NR_VMSCAN_WRITE,
  NR_VMSCAN_IMMEDIATE,
  NR_SWAPCACHE,
];

/** null: a host shows no order of its lists. */
export function lists(subject: Subject, options: ListsOptions): ListsView | null {
  if (subject.kind === 'host') return null;
  const { machine, timeline } = subject;
  const places = placesOf(machine);
  const place = places.find(({ id }) => id === options.place) ?? fullest(places);
  const since = options.since === null || options.since >= timeline.step ? null : options.since;
  const moves = since === null ? null : movesBetween(standingAt(subject, since), standingAt(subject, timeline.step));
  const young = youngFrames(machine);
  return {
    kernel: machine.generation.version,
    places: places.map(({ id, words, pages }) => ({ id, words, pages })),
    place: place.id,
    lists: viewsOf(machine, place, places.length > 1, options.window, young, moves),
    names: moves?.names.map((name) => shortName(name, place)) ?? [],
    batches: batchesOf(machine, young),
    rule: ruleOf(machine, place.lruvec),
    generations: generationsOf(machine, place.lruvec),
    counters: countersOf(machine, place),
    since,
  };
}

/** Who stood where when somebody last asked, by step: whoever steps on compares with where he was. */
const asked = new WeakMap<Timeline<Player>, Map<number, Standing>>();
const STEPS_KEPT = 4;

function standingAt({ timeline }: MachineSubject, step: number): Standing {
  const known = asked.get(timeline) ?? new Map<number, Standing>();
  asked.set(timeline, known);
  const standing =
    known.get(step) ?? standingOf((step === timeline.step ? timeline.player : timeline.scratchAt(step)).machine);
  known.delete(step);
  known.set(step, standing);
  for (const old of [...known.keys()].slice(0, -STEPS_KEPT)) known.delete(old);
  return standing;
}

/** The place with the most pages; the first of the machine if there are none. */
function fullest(places: readonly Place[]): Place {
  return places.reduce((most, place) => (place.pages > most.pages ? place : most));
}

function viewsOf(
  machine: Machine,
  place: Place,
  isNamed: boolean,
  window: number,
  young: Uint8Array,
  moves: Moves | null,
): ListView[] {
  return listsOf(machine, place.lruvec).map((list) => {
    const shown = windowOf(machine, list, window, young);
    const whole = isNamed ? `${list.name} (${place.words})` : list.name;
    return {
      name: list.name,
      zone: list.zone,
      says: list.says,
      pages: list.pages,
      seq: list.seq,
      lru: list.lru,
      window: shown,
      from: Uint8Array.from(shown.frames, (pfn) => moves?.from[pfn] ?? STAYED),
      flows: (moves?.flows ?? [])
        .filter(({ from, to }) => from === whole || to === whole)
        .map(({ from, to, pages }) => ({ from: shortName(from, place), to: shortName(to, place), pages })),
    };
  });
}

/** Without the place, if it is the one that is shown. */
function shortName(name: string, { words }: Place): string {
  return name.endsWith(` (${words})`) ? name.slice(0, -words.length - 3) : name;
}

function batchesOf(machine: Machine, young: Uint8Array): BatchView[] {
  return (machine.lru.batches?.() ?? []).map(({ name, pages, room }) => ({
    name,
    room,
    frames: pages,
    states: Uint16Array.from(pages, (pfn) => stateOf(machine, pfn as Pfn, young, null)),
  }));
}

/** What such a kernel does not count is left out. */
function countersOf({ generation }: Machine, { lruvec }: Place): { name: string; value: number }[] {
  const named = generation.lruNames;
  return COUNTERS.flatMap((item) => {
    const isList = item < named.length;
    if (isList && named[item] === '-') return [];
    if (!isList && generation.family !== 'linux-6' && lruvec.stat[item] === 0) return [];
    const name = isList ? `nr_${named[item]}` : NODE_STAT_NAMES[item]!;
    return [{ name, value: lruvec.stat[item]! }];
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

export const listsQueries = { lists, listEvents, swap, swapSlot } as const;
