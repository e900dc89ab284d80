/**
 * The sweep that is under way, and the last one that was made.
 *
 * Owns      its workers: one leads, the others replay. It goes on while another view is shown.
 * Promises  What is ended is gone at once: its workers end with it.
 */
import { type Signal, signal } from '@preact/signals';
import * as Comlink from 'comlink';
import type { Source } from '../../../src/view/open.ts';
import type { Sized, SizingAsked, SizingProgress } from '../../../src/view/sizing.ts';
import { type ConnectedWorker, connectWorker } from '../../app/assets.ts';
import replayUrl from '../../engine/replay_worker.ts?worker&url';
import type { Sizer } from '../../engine/sizing_worker.ts';
import sizingUrl from '../../engine/sizing_worker.ts?worker&url';

export interface Made {
  readonly source: Source;
  readonly asked: SizingAsked;
  readonly sized: Sized;
}

export const made: Signal<Made | null> = signal(null);
/** null: nothing is under way. */
export const under: Signal<{ readonly progress: SizingProgress | null } | null> = signal(null);
export const failed: Signal<string | null> = signal(null);

const MOST_WORKERS = 8;

interface Workers {
  readonly leader: ConnectedWorker;
  readonly replayers: readonly ConnectedWorker[];
}

let workers: Workers | null = null;

export async function startSizing(source: Source, asked: SizingAsked): Promise<void> {
  endSizing();
  const count = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency));
  const replayers = Array.from({ length: count }, () => connectWorker(replayUrl));
  const mine = { leader: connectWorker(sizingUrl), replayers };
  workers = mine;
  failed.value = null;
  under.value = { progress: null };
  try {
    const tell = Comlink.proxy((progress: SizingProgress) => {
      if (workers === mine) under.value = { progress };
    });
    const ports = replayers.map(({ endpoint }) => endpoint);
    const { size } = Comlink.wrap<Sizer>(mine.leader.endpoint);
    const sizing = size(source, asked, Comlink.transfer(ports, ports), tell);
    const sized = await Promise.race([sizing, ...[mine.leader, ...replayers].map(({ broken }) => broken)]);
    if (workers === mine) made.value = { source, asked, sized };
  } catch (error) {
    if (workers === mine) failed.value = (error as Error).message;
  }
  if (workers === mine) endSizing();
}

export function endSizing(): void {
  if (workers !== null) for (const { terminate } of [workers.leader, ...workers.replayers]) terminate();
  workers = null;
  under.value = null;
}
