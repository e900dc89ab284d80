/**
 * The text that is being written, whether it runs or not.
 *
 * Promises  1. It follows the program that is open, unless that is what was written here a moment ago.
 *           2. What the reader wrote comes back after a lesson, and after any other program that took its place; after a reload, too,
 *              where there is storage (a page in a folder may have none).
 */
import { type Signal, signal } from '@preact/signals';
import { FIRST_PROGRAM } from '../../app/first_program.ts';
import { openText } from '../../app/sources.ts';
import { engine, lesson, program } from '../../app/state.ts';
import { store, stored } from '../../ui/storage.ts';

const KEY = 'revmap-own-program';

export const draft: Signal<string> = signal(FIRST_PROGRAM);
/** What the reader wrote last, answers to lessons apart; null: nothing yet. */
export const own: Signal<string | null> = signal(stored('sessionStorage', KEY));
/** Runs while one types. */
export const isLive: Signal<boolean> = signal(true);
/** Somebody typed since it was run or replaced. */
export const isTyped: Signal<boolean> = signal(false);
/** It is a lesson's: what is typed is an answer. */
let isLent = false;
let ours = '';
let seen = '';

export function write(text: string): void {
  isTyped.value = true;
  draft.value = text;
  if (!isLent) keepOwn(text);
}

/** A lesson's program, which the lesson runs itself. */
export function lendDraft(text: string): void {
  isLent = true;
  replaceDraft(text);
}

/** Back to what the reader wrote, if he did; the machine stays as it is. */
export function takeBack(): void {
  isLent = false;
  if (own.value !== null) replaceDraft(own.value);
}

/** Somebody else opened a program: that is the text now. */
export function followProgram(): void {
  const text = program.value;
  if (text === seen) return;
  const isFirst = seen === '';
  seen = text;
  if (text !== '' && text !== ours) {
    // Of a page that begins only the address says that it is in a lesson.
    if (text !== draft.value) isLent = isFirst && lesson.value !== 0 && text !== own.value;
    replaceDraft(text);
  }
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

function replaceDraft(text: string): void {
  isTyped.value = false;
  draft.value = text;
  // What is open by now is not followed any more.
  seen = program.value;
}

function keepOwn(text: string): void {
  own.value = text;
  store('sessionStorage', KEY, text);
}
