/**
 * What the whole page shares: which views are open, what is chosen, which engines run.
 *
 * Owns      the signals; url.ts writes them into the address and reads them back.
 * Promises  1. A choice made anywhere is seen everywhere, and the last one counts, however late an answer to one before it comes.
 *           2. What is chosen is one: a page, or a frame by its number. The other name of it is of one machine: `selection` of its engine.
 */
import { effect, type Signal, signal } from '@preact/signals';
import { MACHINE_CHOICE, type MachineChoice } from '../../src/view/choice.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import { Engine } from './engine.ts';
import type { Served } from './served.ts';
import { FIRST_STATE, KEPT, type Kept, type PageState } from './url.ts';
import type { ViewId } from './views.ts';

/** What has a word of its own in the address, which url.ts explains. */
export const kept = Object.fromEntries(KEPT.map((key) => [key, signal(FIRST_STATE[key])])) as {
  readonly [K in keyof Kept]: Signal<Kept[K]>;
};
export const { view, beside, lesson, part, pair } = kept;
/** What is open, as the address says it: `example:zipf`, `file:0`, `program` (its text stands beside); `dropped`: a file that no link leads to. */
export const opened: Signal<string> = signal('');
/** The `revmap serve` behind this page; null: there is none. */
export const served: Signal<Served | null> = signal(null);
/** Text of the memory program that is open or being written. */
export const program: Signal<string> = signal('');

/** The machine that is looked at. */
export const engine: Engine = new Engine(MACHINE_CHOICE);
/** A second one on the same recording, while two are compared. */
export const other: Signal<Engine | null> = signal(null);
/** Its machine; null: nobody compares. */
export const otherChoice: Signal<MachineChoice | null> = signal(null);
/** The step at which it stands by itself; null: it follows the first. */
export const apart: Signal<number | null> = signal(null);

/** What is chosen; what that is in a machine, its engine knows. */
export const chosen: Signal<Selection> = signal(NOTHING);
let choices = 0;

export function choose(choice: Selection): void {
  choices += 1;
  chosen.value = choice;
}

/** Chooses a frame of a machine. Numbers are those of the first one: of another, it is the page that is in the frame, if one is. */
export function selectFrame(of: Engine, pfn: number): void {
  const frame: Selection = { by: 'frame', pfn, pid: null, address: null };
  if (of === engine) {
    choose(frame);
    return;
  }
  const mine = ++choices;
  void of.ask('resolve', frame).then(({ pid, address }) => {
    if (mine === choices) choose(address === null ? frame : { by: 'page', pfn: null, pid, address });
  });
}

/** Chooses a page of a process. */
export function selectPage(pid: number, address: number): void {
  choose({ by: 'page', pfn: null, pid, address });
}

/** Chooses a process alone. */
export function selectProcess(pid: number): void {
  choose({ by: 'page', pfn: null, pid, address: null });
}

export function selectNothing(): void {
  choose(NOTHING);
}

/** Keeps the selection of an engine at what is chosen, with its other half as it is there at this step; until what it returns is called. */
export function followSelection(of: Engine): () => void {
  let last: Selection | null = null;
  let asked = 0;
  return effect(() => {
    const choice = chosen.value;
    const mine = ++asked;
    if (choice !== last) of.selection.value = last = choice;
    if (of.changes.value === 0 || choice.by === 'none') return;
    void of.ask('resolve', of.selection.peek()).then((resolved) => {
      const isNew = JSON.stringify(resolved) !== JSON.stringify(of.selection.peek());
      if (mine === asked && isNew) of.selection.value = resolved;
    });
  });
}

/** The page as a link shows it. */
export function pageState(): PageState {
  const isShown = (id: ViewId): boolean => [view.value, beside.value, pair.value].includes(id);
  const values = KEPT.map((key) => [key, kept[key].value]);
  return {
    ...(Object.fromEntries(values) as Kept),
    // Another look at a host may have other files in its rows.
    hostFile: opened.value === 'live' ? null : kept.hostFile.value,
    opened: opened.value,
    program: program.value,
    step: engine.now.value?.step ?? 0,
    since: isShown('lists') ? engine.before.value : null,
    choice: engine.choice.value,
    selection: chosen.value,
    other: otherChoice.value,
    otherStep: apart.value,
  };
}

/** Shows what a link says, but for the machines and what is chosen in them. */
export function keep(state: Kept): void {
  for (const key of KEPT) (kept[key] as Signal<unknown>).value = state[key];
}

export type Theme = 'auto' | 'light' | 'dark';
export const theme: Signal<Theme> = signal('auto');
