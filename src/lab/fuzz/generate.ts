/**
 * Makes random memory programs that mean something: the engine runs each call as soon as it is chosen, and the next one is
 * chosen by what stands there then.
 *
 * Promises  1. Same seed, same program, on every machine.
 *           2. Few calls fail: below 3 % end in an errno, below 3 % in a signal, and those on purpose.
 *           3. A program keeps to what recordings agree in (format 1, section 5): no uncached file of a disk but in a rare kind of its own.
 */
import { type MmpCall, type MmpProgram, parseMmp } from '../../syscalls/mmp.ts';
import type { Recording } from '../check/recording.ts';
import { type MmpRun, MmpRunner } from '../check/run_mmp.ts';
import * as files from './file_calls.ts';
import * as memory from './memory_calls.ts';
import { Random } from './random.ts';
import { Situation, type Story } from './situation.ts';
import { drawSwarm, type Kind, type Swarm } from './swarm.ts';
import { wrong } from './wrong_calls.ts';

/** Programs are made for the newest kernel; older ones refuse a few of the calls. */
const KERNEL = '6.18';
/** Far more than a program uses, and quicker to set up than the whole. */
const RAM_BYTES = 256 * 2 ** 20;

export interface GenerateOptions {
  readonly seed: number;
  /** How many calls; without it 50 to 300. */
  readonly calls?: number | undefined;
}

export interface Generated {
  readonly seed: number;
  readonly text: string;
  readonly calls: number;
  readonly kinds: ReadonlyMap<Kind, number>;
  /** What the engine did that it was made with. If it broke on the way, the program ends with the call that broke it. */
  readonly recording: Recording;
  readonly failure: MmpRun['failure'];
}

const MAKERS: Readonly<Record<Kind, (s: Situation) => string | null>> = {
  store: memory.store,
  load: memory.load,
  check: memory.check,
  mapAnon: memory.mapAnon,
  mapFile: memory.mapFile,
  unmap: memory.unmap,
  protect: memory.protect,
  remap: memory.remap,
  advise: memory.advise,
  lock: memory.lock,
  unlock: memory.unlock,
  lockAll: memory.lockAll,
  fork: files.fork,
  exit: files.exit,
  sync: memory.sync,
  mincore: memory.mincore,
  brk: memory.brk,
  remapFilePages: memory.remapFilePages,
  open: files.open,
  memfd: files.memfd,
  dup: files.dup,
  close: files.close,
  unlink: files.unlink,
  seek: files.seek,
  read: files.read,
  write: files.write,
  truncate: files.truncate,
  fallocate: files.fallocate,
  fsync: files.fsync,
  fadvise: files.fadvise,
  swap: files.swap,
  grow: memory.grow,
  wrong,
};
/** Where nothing that is enabled fits. */
const LAST_RESORT: Kind = 'mapAnon';
const FIRST_DESCRIPTOR = 10;
const TRIES = 20;

export function generate(options: GenerateOptions): Generated {
  return new Generator(options).run();
}

class Generator {
  private readonly seed: number;
  private readonly lines: string[] = [];
  private readonly kinds: Map<Kind, number> = new Map();
  private readonly swarm: Swarm;
  private readonly story: Story;
  private lastCall: MmpCall | null = null;

  constructor(options: GenerateOptions) {
    this.seed = options.seed;
    const random = new Random(options.seed);
    this.swarm = drawSwarm(random, options.calls ?? null);
    const runner = new MmpRunner(this.programOf(''), KERNEL, RAM_BYTES);
    this.story = {
      random,
      swarm: this.swarm,
      runner,
      recent: [],
      linked: new Set(this.swarm.files.map((file) => file.name)),
      generation: new Map([[1, 1]]),
      nextProcess: 2,
      nextDescriptor: FIRST_DESCRIPTOR,
      memfds: 0,
      swapOn: this.swarm.swapMib > 0,
    };
  }

  run(): Generated {
    const { runner } = this.story;
    let failure: MmpRun['failure'] = null;
    try {
      for (const file of this.swarm.files)
        this.make('1', `open("${file.name}", O_RDWR) = ${this.story.nextDescriptor++}`);
      while (this.lines.length < this.swarm.calls) this.next();
      runner.end();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failure = { call: this.lastCall, error };
    }
    const { seed, lines, kinds } = this;
    const text = this.head() + this.body();
    return { seed, text, calls: lines.length, kinds, recording: runner.recorded(), failure };
  }

  private next(): void {
    const { random, runner } = this.story;
    const [label, actor] = random.pick([...runner.actors]);
    const situation = new Situation(this.story, label, actor);
    const weights = this.swarm.weights;
    const kinds = [...weights.keys()];
    for (let tries = 0; tries < TRIES; tries++) {
      const kind = random.weighted(kinds, (one) => weights.get(one)!);
      const call = MAKERS[kind](situation);
      if (call !== null) {
        this.count(kind);
        this.make(String(label), call);
        return;
      }
    }
    this.count(LAST_RESORT);
    this.make(String(label), 'mmap(NULL, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)');
  }

  private count(kind: Kind): void {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }

  private make(label: string, call: string): void {
    const line = call.startsWith('0 ') ? call : `${label} ${call}`;
    this.lines.push(line);
    this.lastCall = parseMmp(`%mmp 1\n${line}`, 'line').steps[0] as MmpCall;
    this.story.runner.step(this.lastCall);
  }

  private programOf(body: string): MmpProgram {
    return parseMmp(this.head() + body, programName(this.seed));
  }

  private head(): string {
    const { snapshotEvery, files: declared, swapMib, brk } = this.swarm;
    const directives = ['%mmp 1', `%title random program of seed ${this.seed}`, `%snapshot ${snapshotEvery}`];
    for (const { name, pages, kind, cached } of declared) {
      directives.push(`%file ${name} ${pages} ${kind === 'disk' ? 'disk' : 'shm'}${cached ? ' cached' : ''}`);
    }
    if (swapMib > 0) directives.push(`%swap ${swapMib}`);
    if (brk !== null) directives.push(`%brk 0x${brk.toString(16)}`);
    return `${directives.join('\n')}\n`;
  }

  private body(): string {
    return `${this.lines.join('\n')}\n`;
  }
}

export function programName(seed: number): string {
  return `fuzz-${seed}.mmp`;
}
