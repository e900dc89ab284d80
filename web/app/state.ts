/**
 * What the whole page shares: which views are open, what is chosen, which engines run.
 *
 * Owns      the signals; url.ts writes them into the address and reads them back.
 * Promises  A choice made anywhere is seen everywhere: `selection` always has both names of a page as far as it has two.
 */
import { computed, effect, type Signal, signal } from '@preact/signals';
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

export const selection: Signal<Selection> = signal(NOTHING);
export const hasSelection = computed(() => selection.value.by !== 'none');

/** Chooses a frame; where it is mapped follows. */
export function selectFrame(pfn: number): void {
  selection.value = { by: 'frame', pfn, pid: null, address: null };
}

/** Chooses a page of a process; the frame follows. */
export function selectPage(pid: number, address: number): void {
  selection.value = { by: 'page', pfn: null, pid, address };
}

/** Chooses a process alone. */
export function selectProcess(pid: number): void {
  selection.value = { by: 'page', pfn: null, pid, address: null };
}

export function selectNothing(): void {
  selection.value = NOTHING;
}

/** Keeps the other half of the choice as it is at this step. */
export function followSelection(): void {
  let asked = 0;
  effect(() => {
    const { by, pfn, pid, address } = selection.value;
    if (engine.changes.value === 0 || by === 'none') return;
    const mine = ++asked;
    void engine.ask('resolve', { by, pfn, pid, address }).then((resolved) => {
      const now = selection.peek();
      if (mine !== asked || JSON.stringify(now) === JSON.stringify(resolved)) return;
      selection.value = resolved;
    });
  });
}

export type Theme = 'auto' | 'light' | 'dark';
export const theme: Signal<Theme> = signal('auto');
