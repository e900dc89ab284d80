/**
 * Which lessons are done, as long as this browser remembers.
 */
import { type Signal, signal } from '@preact/signals';
import { LESSONS } from '../../lessons/index.ts';
import { store, stored } from '../../ui/storage.ts';

const KEY = 'revmap-lessons';

/** Numbers of lessons, from 1. */
export const done: Signal<ReadonlySet<number>> = signal(read());

export function markDone(lesson: number): void {
  write(new Set(done.value).add(lesson));
}

export function forgetProgress(): void {
  write(new Set());
}

function write(lessons: ReadonlySet<number>): void {
  done.value = lessons;
  store('localStorage', KEY, [...lessons].join(' '));
}

function read(): ReadonlySet<number> {
  const numbers = (stored('localStorage', KEY) ?? '').split(' ').map(Number);
  return new Set(numbers.filter((n) => Number.isInteger(n) && n >= 1 && n <= LESSONS.length));
}
