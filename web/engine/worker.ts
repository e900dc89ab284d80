/** The worker of the page: a session, asked by messages. Each worker has one machine. */
import * as Comlink from 'comlink';
import type { MachineChoice } from '../../src/view/choice.ts';
import type { Condition } from '../../src/view/conditions.ts';
import type { Facts, Now } from '../../src/view/now.ts';
import type { Source } from '../../src/view/open.ts';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import { Session, type Way } from '../../src/view/session.ts';
import { exposeToPage } from './expose.ts';

/** The page hears so often how far the curves are. */
const TELL_MS = 250;

// A timer of no time is one of four milliseconds; a message comes behind those that wait, and no later.
const door = new MessageChannel();
const outside: (() => void)[] = [];
door.port1.onmessage = () => outside.shift()?.();
const session = new Session(
  () =>
    new Promise((done) => {
      outside.push(done);
      door.port2.postMessage(null);
    }),
);
let follower: (now: Now) => unknown = () => undefined;

/** Opened: what goes on beside begins. */
function begun(facts: Facts): Facts {
  let told = performance.now();
  const tell = () => {
    if (performance.now() - told < TELL_MS) return;
    told = performance.now();
    follower(session.now());
  };
  // What is wrong with the run is told to whoever makes the step at which it is.
  void session
    .lookOver(tell)
    .catch(() => undefined)
    .then(() => follower(session.now()));
  return facts;
}

/** What is sent over: the columns of an answer are handed over, not copied. */
function handOver<T>(answer: T): T {
  const buffers = new Set<ArrayBuffer>();
  collect(answer, buffers);
  return buffers.size === 0 ? answer : Comlink.transfer(answer, [...buffers]);
}

function collect(value: unknown, buffers: Set<ArrayBuffer>): void {
  if (ArrayBuffer.isView(value)) buffers.add(value.buffer as ArrayBuffer);
  else if (Array.isArray(value)) {
    // Rows of a list have one form: if the first has no column, none has.
    const length = value.length > 0 && hasColumn(value[0]) ? value.length : 0;
    for (let n = 0; n < length; n++) collect(value[n], buffers);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) collect(part, buffers);
  }
}

function hasColumn(row: unknown): boolean {
  return typeof row === 'object' && row !== null && Object.values(row).some((part) => ArrayBuffer.isView(part));
}

const remote = {
  open: async (source: Source, choice: MachineChoice): Promise<Facts> => begun(await session.open(source, choice)),
  rebuild: (choice: MachineChoice): Facts => begun(session.rebuild(choice)),
  now: (): Now => session.now(),
  go: (step: number): Promise<Now | null> => session.go(step),
  find: (condition: Condition, way: Way, look: (step: number) => void): Promise<Now | false | null> =>
    session.find(condition, way, look),
  advance: (steps: number): Now => session.advance(steps),
  cancel: (): void => session.cancel(),
  /** Hears of the machine when more of the whole has been looked at. */
  follow: (hear: (now: Now) => unknown): void => {
    follower = hear;
  },
  ask: <K extends QueryName>(name: K, args: QueryArgs<K>): Answer<K> => handOver(session.ask(name, ...args)),
};

export type Remote = typeof remote;

exposeToPage(remote);
