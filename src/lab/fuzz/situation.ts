/**
 * Where a generator stands before its next call: whose turn it is, what he has, where the last calls went.
 *
 * Owns      the choice of areas and ranges, labels and names. What is made of them: memory_calls.ts, file_calls.ts, wrong_calls.ts.
 * Promises  A range lies in the arena and has a page at least.
 */
import type { File } from '../../mm/fs.ts';
import type { Machine } from '../../mm/machine.ts';
import type { Mm } from '../../mm/mm.ts';
import { type Vpn, vpnOf } from '../../mm/units.ts';
import type { Vma } from '../../mm/vma.ts';
import type { Actor, MmpRunner } from '../check/run_mmp.ts';
import type { Random } from './random.ts';
import type { Swarm } from './swarm.ts';
import { areasOf, hexOf, mappedPages, type PageKind, pageKind, type Range } from './view.ts';

/** An open descriptor of the process. */
export interface Descriptor {
  readonly label: number;
  readonly file: File;
}

/** What lasts from call to call. */
export interface Story {
  readonly random: Random;
  readonly swarm: Swarm;
  readonly runner: MmpRunner;
  /** Where the last calls went. */
  readonly recent: Vpn[];
  /** Files that still have their name. */
  readonly linked: Set<string>;
  /** Generation of each process: the first is 1. */
  readonly generation: Map<number, number>;
  nextProcess: number;
  nextDescriptor: number;
  memfds: number;
  swapOn: boolean;
}

const REMEMBERED = 4;
/** Kinds of pages, by how much there is to go wrong with them. */
const INTEREST: Readonly<Record<PageKind, number>> = {
  none: 4,
  zero: 5,
  marker: 1,
  swapped: 8,
  shared: 8,
  present: 4,
};

export class Situation {
  readonly story: Story;
  readonly label: number;
  readonly actor: Actor;
  readonly areas: readonly Vma[];

  constructor(story: Story, label: number, actor: Actor) {
    this.story = story;
    this.label = label;
    this.actor = actor;
    this.areas = areasOf(actor.process.mm);
  }

  get random(): Random {
    return this.story.random;
  }
  get swarm(): Swarm {
    return this.story.swarm;
  }
  get machine(): Machine {
    return this.story.runner.machine;
  }
  get mm(): Mm {
    return this.actor.process.mm;
  }
  get windowStart(): Vpn {
    return vpnOf(this.swarm.windowStart);
  }
  get windowEnd(): Vpn {
    return (this.windowStart + this.swarm.windowPages) as Vpn;
  }

  descriptors(wanted: (file: File) => boolean = () => true): Descriptor[] {
    const found: Descriptor[] = [];
    for (const [label, fd] of this.actor.fds) {
      const file = this.actor.process.files.get(fd);
      if (file !== undefined && wanted(file)) found.push({ label, file });
    }
    return found;
  }

  /** An area that is wanted, rather one where the last calls went; null if there is none. */
  area(wanted: (vma: Vma) => boolean = () => true): Vma | null {
    const { random, story } = this;
    const found = this.areas.filter(wanted);
    if (found.length === 0) return null;
    if (story.recent.length > 0 && random.chance(this.swarm.focus)) {
      const at = random.pick(story.recent);
      const near = found.find((vma) => vma.vmStart <= at && at < vma.vmEnd);
      if (near !== undefined) return near;
    }
    return random.pick(found);
  }

  /** The whole area, its head, its tail, a page, something inside, or over its end into the next that is wanted too. */
  rangeIn(vma: Vma, wanted: (vma: Vma) => boolean = () => true): Range {
    const { random } = this;
    const most = Math.min(vma.pages, this.swarm.maxPages);
    const length = random.between(1, most);
    const last = vma.vmEnd - length;
    const shape = random.below(100);
    if (shape < 15) return this.remember({ start: vma.vmStart, pages: vma.pages });
    if (shape < 30) return this.remember({ start: vma.vmStart, pages: length });
    if (shape < 45) return this.remember({ start: last as Vpn, pages: length });
    if (shape < 62) {
      const over = mappedPages(this.mm, vma.vmEnd, random.between(1, this.swarm.maxPages), wanted);
      return this.remember({ start: last as Vpn, pages: length + over });
    }
    if (shape < 80) return this.remember({ start: this.page(vma), pages: 1 });
    return this.remember({ start: random.between(vma.vmStart, last) as Vpn, pages: length });
  }

  /** One of a few pages, rather one that is swapped or shared. */
  page(vma: Vma): Vpn {
    const { random } = this;
    const drawn = [0, 1, 2, 3].map(() => random.between(vma.vmStart, vma.vmEnd - 1) as Vpn);
    return random.weighted(drawn, (vpn) => INTEREST[pageKind(this.machine, this.mm, vpn)]);
  }

  remember(range: Range): Range {
    const { recent } = this.story;
    recent.unshift(range.start);
    recent.length = Math.min(recent.length, REMEMBERED);
    return range;
  }

  /** `0x100000001000, 8192`: how nearly every call names a range. */
  text(range: Range): string {
    return `${hexOf(range.start)}, ${range.pages * 4096}`;
  }
}
