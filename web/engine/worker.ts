/** The worker of the page: a session, asked by messages. Each worker has one machine. */
import * as Comlink from 'comlink';
import type { MachineChoice } from '../../src/view/choice.ts';
import type { Condition } from '../../src/view/conditions.ts';
import type { Facts, Now } from '../../src/view/now.ts';
import type { Source } from '../../src/view/open.ts';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import { Session } from '../../src/view/session.ts';
import { exposeToPage } from './expose.ts';

const session = new Session();

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
    if (value.length > 0) collect(value[0], buffers);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) collect(part, buffers);
  }
}

const remote = {
  open: (source: Source, choice: MachineChoice): Promise<Facts> => session.open(source, choice),
  rebuild: (choice: MachineChoice): Facts => session.rebuild(choice),
  now: (): Now => session.now(),
  seek: (step: number): Now => session.seek(step),
  next: (condition: Condition): Now | null => session.next(condition),
  previous: (condition: Condition): Now | null => session.previous(condition),
  ask: <K extends QueryName>(name: K, args: QueryArgs<K>): Answer<K> => handOver(session.ask(name, ...args)),
};

export type Remote = typeof remote;

exposeToPage(remote);
