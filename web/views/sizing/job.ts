/**
 * The sweep that is under way, and the last one that was made.
 *
 * Owns      the worker that leads it. It goes on while another view is shown.
 * Promises  What is ended is gone at once: its workers end with it.
 */
import { type Signal, signal } from '@preact/signals';
import * as Comlink from 'comlink';
import type { Source } from '../../../src/view/open.ts';
import type { Sized, SizingAsked, SizingProgress } from '../../../src/view/sizing.ts';
import type { Sizer } from '../../engine/sizing_worker.ts';

export interface Made {
  readonly source: Source;
  readonly asked: SizingAsked;
  readonly sized: Sized;
}

export const made: Signal<Made | null> = signal(null);
/** null: nothing is under way. */
export const under: Signal<{ readonly progress: SizingProgress | null } | null> = signal(null);
export const failed: Signal<string | null> = signal(null);

let worker: Worker | null = null;

export async function startSizing(source: Source, asked: SizingAsked): Promise<void> {
  endSizing();
  const mine = new Worker(new URL('../../engine/sizing_worker.ts', import.meta.url), {
    type: 'module',
    name: 'sizing',
  });
  worker = mine;
  failed.value = null;
  under.value = { progress: null };
  try {
    const tell = Comlink.proxy((progress: SizingProgress) => {
      if (worker === mine) under.value = { progress };
    });
    const sized = await Comlink.wrap<Sizer>(mine).size(source, asked, tell);
    if (worker === mine) made.value = { source, asked, sized };
  } catch (error) {
    if (worker === mine) failed.value = (error as Error).message;
  }
  if (worker === mine) endSizing();
}

export function endSizing(): void {
  worker?.terminate();
  worker = null;
  under.value = null;
}
