/**
 * What can be opened without a file of one's own, and how a file comes in.
 *
 * Owns      the list of examples, and the name of what is open.
 */
import sqliteUrl from '../../examples/sqlite.rvm.gz?url';
import zipfUrl from '../../examples/zipf.rvm.gz?url';
import type { MachineChoice } from '../../src/view/choice.ts';
import { readAsset } from './assets.ts';
import { FIRST_PROGRAM } from './first_program.ts';
import { engine, opened, program, served } from './state.ts';

export interface Example {
  readonly id: string;
  readonly says: string;
  readonly url: string;
}

export const EXAMPLES: readonly Example[] = [
  { id: 'zipf', says: 'a program whose pages are used by Zipf’s law', url: zipfUrl },
  { id: 'sqlite', says: 'SQLite: inserts, an index, queries', url: sqliteUrl },
];

const utf8 = new TextEncoder();

export async function openText(text: string, choice: MachineChoice = engine.choice.value): Promise<boolean> {
  if (!(await engine.open({ name: 'program.mmp', bytes: utf8.encode(text) }, choice))) return false;
  opened.value = 'program';
  program.value = text;
  return true;
}

export async function openExample(id: string, choice: MachineChoice = engine.choice.value): Promise<boolean> {
  const example = EXAMPLES.find((one) => one.id === id);
  if (example === undefined)
    return refused(`there is no example '${id}' (${EXAMPLES.map((one) => one.id).join(', ')})`);
  const bytes = await orError(readAsset(example.url));
  if (bytes === null || !(await engine.open({ name: `${id}.rvm.gz`, bytes }, choice))) return false;
  opened.value = `example:${id}`;
  return true;
}

export async function openFile(file: File): Promise<boolean> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!(await engine.open({ name: file.name, bytes }))) return false;
  const isProgram = engine.facts.value?.kind === 'program';
  opened.value = isProgram ? 'program' : 'dropped';
  if (isProgram) program.value = new TextDecoder().decode(bytes);
  return true;
}

/** A file that `revmap serve` was given. */
export async function openServed(number: number, choice: MachineChoice = engine.choice.value): Promise<boolean> {
  const file = served.value?.files[number];
  if (file === undefined)
    return refused(
      'This link is about a file of a server that is not behind this page: revmap serve FILE gives a new one.',
    );
  const bytes = await orError(served.value!.fetchFile(number));
  if (bytes === null || !(await engine.open({ name: file.name, bytes }, choice))) return false;
  opened.value = `file:${number}`;
  return true;
}

/** This host, as it is now. */
export async function openLive(): Promise<boolean> {
  if (served.value?.live !== true)
    return refused(
      'This link is about a host, and no revmap serve --live is behind this page: run it, and open its link.',
    );
  const bytes = await orError(served.value.fetchLive());
  if (bytes === null || !(await engine.open({ name: 'this host', bytes }))) return false;
  opened.value = 'live';
  return true;
}

async function orError<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    engine.error.value = (error as Error).message;
    return null;
  }
}

function refused(why: string): false {
  engine.error.value = why;
  return false;
}

/** What the address names; a small program if it names nothing. null: what it names is damaged. */
export async function openNamed(name: string | null, text: string, choice: MachineChoice): Promise<boolean> {
  if (name === null)
    return refused(
      'This link is cut or damaged: what it opens cannot be read. Ask for the whole link, or open something else.',
    );
  if (name === 'dropped')
    return refused('This link is about a file that was opened by hand, and holds nothing of it: open the file again.');
  if (name === 'live') return openLive();
  if (name === '') return openText(FIRST_PROGRAM, choice);
  if (name.startsWith('example:')) return openExample(name.slice('example:'.length), choice);
  if (name.startsWith('file:')) return openServed(Number(name.slice('file:'.length)), choice);
  if (await openText(text, choice)) return true;
  // A program that is none yet can be mended in the editor.
  opened.value = 'program';
  program.value = text;
  return false;
}
