/**
 * What the whole page shares: which views are open, what is chosen, which engines run.
 *
 * Owns      the signals; url.ts writes them into the address and reads them back.
 * Promises  1. A choice made anywhere is seen everywhere, and the last one counts, however late an answer to one before it comes.
 *           2. What is chosen is one: a page, or a frame by its number. The other name of it is of one machine: `selection` of its engine.
 */
import { effect, type Signal, signal } from '@preact/signals';
import { MACHINE_CHOICE, type MachineChoice } from '../../src/view/choice.ts';
import type { Colouring } from '../../src/view/frames_legend.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import { Engine } from './engine.ts';
import type { Served } from './served.ts';
import type { ViewId } from './views.ts';

export const view: Signal<ViewId> = signal('frames');
/** A second view beside it. */
export const beside: Signal<ViewId | null> = signal(null);
/** Of the lesson that is open; 0: the list of them. */
export const lesson: Signal<number> = signal(0);
/** Of that lesson, from 0; behind the last one comes the question. */
export const part: Signal<number> = signal(0);
/** What is open, as the address says it: `example:zipf`, `file:0`, `program` (its text stands beside); '' for a dropped file. */
export const opened: Signal<string> = signal('');
/** The `revmap serve` behind this page; null: there is none. */
export const served: Signal<Served | null> = signal(null);
/** Text of the memory program that is open or being written. */
export const program: Signal<string> = signal('');

/** What frames are coloured by. */
export const colouring: Signal<Colouring> = signal('owner');

/** The machine that is looked at. */
export const engine: Engine = new Engine(MACHINE_CHOICE);
/** A second one on the same recording, while two are compared. */
export const other: Signal<Engine | null> = signal(null);
/** Its machine; null: nobody compares. */
export const otherChoice: Signal<MachineChoice | null> = signal(null);
/** The view that Compare shows of both. */
export const pair: Signal<ViewId | null> = signal(null);

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

export type Theme = 'auto' | 'light' | 'dark';
export const theme: Signal<Theme> = signal('auto');
