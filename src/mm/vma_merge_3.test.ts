import { describe, expect, test } from 'vitest';
import { PAGE, Space } from '../../test/space.ts';
import { doMprotect } from './mprotect.ts';
import { MAP_PRIVATE, PROT_READ, PROT_WRITE } from './uapi.ts';
import { verify } from './verify.ts';
import type { Vma } from './vma.ts';

const RW = PROT_READ | PROT_WRITE;

function space(): Space {
  return new Space({ kernel: '3.16' });
}

/** Where each VMA begins and ends, in pages of the arena. */
function layout(s: Space): string {
  return [...s.mm.vmas].map((vma) => `${vma.vmStart - PAGE}-${vma.vmEnd - PAGE}`).join(' ');
}

function protect(s: Space, page: number, pages: number, prot: number): void {
  expect(doMprotect(s.machine, s.mm, s.vpn(page) * 4096, pages * 4096, prot)).toBe(0);
}

interface Case {
  why: string;
  /** Pages and protection of the VMAs that are there first. */
  before: [page: number, pages: number, prot: number][];
  /** A new mapping, or new protection of what is there. */
  what: 'mmap' | 'mprotect';
  at: [page: number, pages: number];
  after: string;
  /** Page whose VMA's object is the one that stood at page `from` before. */
  survivor: { page: number; from: number };
}

// P before, N behind, A the area; all of A becomes RW.
const CASES: Case[] = [
  {
    why: '1: a hole is filled, P takes N up',
    before: [
      [0, 4, RW],
      [8, 4, RW],
    ],
    what: 'mmap',
    at: [4, 4],
    after: '0-12',
    survivor: { page: 8, from: 0 },
  },
  {
    why: '2: behind P alone',
    before: [[0, 4, RW]],
    what: 'mmap',
    at: [4, 2],
    after: '0-6',
    survivor: { page: 5, from: 0 },
  },
  {
    why: '3: before N alone, which grows downwards',
    before: [[8, 4, RW]],
    what: 'mmap',
    at: [6, 2],
    after: '6-12',
    survivor: { page: 6, from: 8 },
  },
  {
    why: '4: the tail of P goes to N',
    before: [
      [0, 8, PROT_READ],
      [8, 4, RW],
    ],
    what: 'mprotect',
    at: [4, 4],
    after: '0-4 4-12',
    survivor: { page: 4, from: 8 },
  },
  {
    why: '5: the head of N goes to P',
    before: [
      [0, 4, RW],
      [4, 8, PROT_READ],
    ],
    what: 'mprotect',
    at: [4, 4],
    after: '0-8 8-12',
    survivor: { page: 4, from: 0 },
  },
  {
    why: '6: exactly the VMA between two: P takes both up',
    before: [
      [0, 4, RW],
      [4, 4, PROT_READ],
      [8, 4, RW],
    ],
    what: 'mprotect',
    at: [4, 4],
    after: '0-12',
    survivor: { page: 8, from: 0 },
  },
  {
    why: '7: exactly a VMA, only P is like it',
    before: [
      [0, 4, RW],
      [4, 4, PROT_READ],
    ],
    what: 'mprotect',
    at: [4, 4],
    after: '0-8',
    survivor: { page: 4, from: 0 },
  },
  {
    why: '8: exactly a VMA, only N is like it: the object in the middle stays',
    before: [
      [4, 4, PROT_READ],
      [8, 4, RW],
    ],
    what: 'mprotect',
    at: [4, 4],
    after: '4-12',
    survivor: { page: 8, from: 4 },
  },
];

describe('[3.x vma_merge 1–8]', () => {
  for (const { why, before, what, at, after, survivor } of CASES) {
    test(`[3.x vma_merge 1–8] ${why}`, () => {
      const s = space();
      for (const [page, pages, prot] of before) s.map(page, pages, MAP_PRIVATE, prot);
      const stayed: Vma = s.vma(survivor.from);
      if (what === 'mmap') s.map(at[0], at[1]);
      else protect(s, at[0], at[1], RW);
      expect(layout(s)).toBe(after);
      expect(s.vma(survivor.page)).toBe(stayed);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('[3.x vma_merge 1–8] 8 with pages: the middle one takes over the anon_vma of what it swallows, and the reverse map', () => {
    const s = space();
    s.map(4, 4, MAP_PRIVATE, PROT_READ);
    s.map(8, 4);
    s.store(8);
    const { anonVma } = s.vma(8);
    const middle = s.vma(4);
    protect(s, 4, 4, RW);
    expect(layout(s)).toBe('4-12');
    expect(s.vma(8)).toBe(middle);
    expect(middle.anonVma).toBe(anonVma);
    expect(s.machine.frames.mapcount(s.pfn(8))).toBe(1);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a VMA that was never touched does not take up a range that has pages: its chain is empty, not of one link', () => {
    const s = space();
    s.map(0, 4);
    s.map(4, 4, MAP_PRIVATE, RW);
    s.store(6);
    expect(layout(s)).toBe('0-8');
    protect(s, 4, 4, PROT_READ);
    expect(layout(s)).toBe('0-4 4-8');
    // Both halves have the anon_vma of the VMA that was split, so they come together again.
    protect(s, 4, 4, RW);
    expect(layout(s)).toBe('0-8');
  });
});
