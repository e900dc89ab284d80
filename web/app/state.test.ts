import { type Signal, signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NOTHING, type Selection } from '../../src/view/selection.ts';

/** A machine in which each frame has one page, and whose answers come when they are let through. */
class Machine {
  readonly selection: Signal<Selection> = signal(NOTHING);
  readonly changes = signal(1);
  /** Page to frame: all of process 1. */
  pages: Readonly<Record<number, number>> = {};
  private readonly waiting: (() => void)[] = [];

  ask(_: 'resolve', selection: Selection): Promise<Selection> {
    const { by, pfn, address } = selection;
    const page = Object.keys(this.pages).find((at) => this.pages[Number(at)] === pfn);
    const answer =
      by === 'page'
        ? { ...selection, pfn: this.pages[address!] ?? null }
        : { ...selection, pid: page === undefined ? null : 1, address: page === undefined ? null : Number(page) };
    return new Promise((resolve) => this.waiting.push(() => resolve(answer)));
  }

  /** The answer to the question that was asked as the nth of those that wait. */
  async answer(n = 0): Promise<void> {
    this.waiting.splice(n, 1)[0]!();
    await Promise.resolve();
  }

  async answerAll(): Promise<void> {
    while (this.waiting.length > 0) await this.answer();
  }
}

vi.mock('./engine.ts', () => ({ Engine: Machine }));
const state = await import('./state.ts');
const left = state.engine as unknown as Machine;
const right = new Machine();
const inRight = right as unknown as typeof state.engine;
const page = (address: number, pfn: number | null): Selection => ({ by: 'page', pfn, pid: 1, address });
const frame = (pfn: number, address: number | null): Selection => ({
  by: 'frame',
  pfn,
  pid: address === null ? null : 1,
  address,
});

let stops: (() => void)[] = [];
beforeEach(() => {
  left.pages = { 4096: 7, 8192: 8 };
  right.pages = { 4096: 40, 8192: 7 };
  stops = [state.followSelection(state.engine), state.followSelection(inRight)];
});
afterEach(async () => {
  for (const stop of stops) stop();
  state.selectNothing();
  await Promise.all([left.answerAll(), right.answerAll()]);
});

test('selection: a page that is chosen has its own frame in each machine', async () => {
  state.selectPage(1, 0x1000);
  expect([left.selection.value, right.selection.value]).toEqual([page(0x1000, null), page(0x1000, null)]);
  await Promise.all([left.answerAll(), right.answerAll()]);
  expect([left.selection.value, right.selection.value]).toEqual([page(0x1000, 7), page(0x1000, 40)]);
  expect(state.chosen.value).toEqual(page(0x1000, null));
});

test('selection: a frame that is chosen by its number has its own page in each machine', async () => {
  state.selectFrame(state.engine, 7);
  await Promise.all([left.answerAll(), right.answerAll()]);
  expect([left.selection.value, right.selection.value]).toEqual([frame(7, 0x1000), frame(7, 0x2000)]);
});

test('selection: a frame of the second machine is chosen by the page in it, or by its number if there is none', async () => {
  state.selectFrame(inRight, 40);
  await right.answer();
  expect(state.chosen.value).toEqual(page(0x1000, null));
  state.selectFrame(inRight, 99);
  await right.answerAll();
  expect(state.chosen.value).toEqual(frame(99, null));
});

test('selection: what was chosen last counts, in whatever order the answers come', async () => {
  state.selectFrame(inRight, 40);
  state.selectFrame(inRight, 7);
  await right.answer(1);
  await right.answer(0);
  expect(state.chosen.value).toEqual(page(0x2000, null));

  state.selectFrame(inRight, 40);
  state.selectNothing();
  await right.answerAll();
  expect(state.chosen.value).toEqual(NOTHING);
});

test('selection: who chooses nothing has nothing, though the answer to a choice before comes after', async () => {
  state.selectPage(1, 0x1000);
  state.selectNothing();
  await left.answerAll();
  expect(left.selection.value).toEqual(NOTHING);
});

test('selection: when the machine goes on, a page keeps its address and a frame its number', async () => {
  state.selectPage(1, 0x1000);
  await left.answerAll();
  left.pages = { 4096: 9 };
  left.changes.value += 1;
  expect(left.selection.value, 'what was known stays until there is an answer').toEqual(page(0x1000, 7));
  await left.answerAll();
  expect(left.selection.value).toEqual(page(0x1000, 9));
  state.selectFrame(state.engine, 9);
  await left.answerAll();
  left.pages = { 12288: 9 };
  left.changes.value += 1;
  await left.answerAll();
  expect(left.selection.value).toEqual(frame(9, 0x3000));
});
