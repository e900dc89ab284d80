/** The worker that leads a sweep: it opens the recording, decides what is replayed, and ends with its replayers. */
import * as Comlink from 'comlink';
import { InputError } from '../../src/mm/bug.ts';
import { open, type Source } from '../../src/view/open.ts';
import { type Sized, type SizingAsked, type SizingProgress, sizeRecording } from '../../src/view/sizing.ts';
import { ReplayPool } from './replay_pool.ts';

const remote = {
  async size(source: Source, asked: SizingAsked, onProgress: (progress: SizingProgress) => void): Promise<Sized> {
    const opened = await open(source);
    if (opened.kind !== 'recording') throw new InputError(source.name, 0, 'is no recording');
    const pool = new ReplayPool(opened);
    try {
      return await sizeRecording(pool, opened, asked, onProgress);
    } finally {
      pool.close();
    }
  },
};

export type Sizer = typeof remote;

Comlink.expose(remote);
