/** The worker that leads a sweep: it opens the recording, and says what is replayed by those whose ports it is given. */
import { InputError } from '../../src/mm/bug.ts';
import { open, type Source } from '../../src/view/open.ts';
import { type Sized, type SizingAsked, type SizingProgress, sizeRecording } from '../../src/view/sizing.ts';
import { exposeToPage } from './expose.ts';
import { ReplayPool } from './replay_pool.ts';

const remote = {
  async size(
    source: Source,
    asked: SizingAsked,
    replayers: readonly MessagePort[],
    onProgress: (progress: SizingProgress) => void,
  ): Promise<Sized> {
    const opened = await open(source);
    if (opened.kind !== 'recording') throw new InputError(source.name, 0, 'is no recording');
    return sizeRecording(new ReplayPool(opened, replayers), opened, asked, onProgress);
  },
};

export type Sizer = typeof remote;

exposeToPage(remote);
