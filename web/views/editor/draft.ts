/**
 * The text that is being written, whether it runs or not.
 *
 * Promises  It follows the program that is open, unless that is what was written here a moment ago.
 */
import { type Signal, signal } from '@preact/signals';
import { FIRST_PROGRAM } from '../../app/first_program.ts';
import { openText } from '../../app/sources.ts';
import { engine, program } from '../../app/state.ts';

export const draft: Signal<string> = signal(FIRST_PROGRAM);
/** Runs while one types. */
export const isLive: Signal<boolean> = signal(true);
/** Somebody typed since it was run or replaced. */
export const isTyped: Signal<boolean> = signal(false);
let ours = '';
let seen = '';

/** By another text, which whoever sets it runs himself. */
export function replaceDraft(text: string): void {
  isTyped.value = false;
  draft.value = text;
}

/** Somebody else opened a program: that is the text now. */
export function followProgram(): void {
  const text = program.value;
  if (text === seen) return;
  seen = text;
  if (text !== '' && text !== ours) replaceDraft(text);
  ours = '';
}

/** To the machine that is looked at, and to the end of the program. */
export async function runDraft(): Promise<boolean> {
  const text = draft.value;
  isTyped.value = false;
  ours = text;
  if (!(await openText(text))) return false;
  return engine.seek(engine.now.value?.length ?? 0);
}
