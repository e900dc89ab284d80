/**
 * Which lessons are done, as long as this browser remembers.
 *
 * Promises  Without storage (a page in a folder may have none) it lasts as long as the page.
 */
import { type Signal, signal } from '@preact/signals';
import { LESSONS } from '../../lessons/index.ts';

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
  try {
    localStorage.setItem(KEY, [...lessons].join(' '));
  } catch {
    // See above.
  }
}

function read(): ReadonlySet<number> {
  try {
    const numbers = (localStorage.getItem(KEY) ?? '').split(' ').map(Number);
    return new Set(numbers.filter((n) => Number.isInteger(n) && n >= 1 && n <= LESSONS.length));
  } catch {
    return new Set();
  }
}
