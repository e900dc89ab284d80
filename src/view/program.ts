/**
 * A memory program line by line: which step each line is, and what it returned.
 *
 * Promises  Lines that are not done yet have no outcome.
 */

import type { OpRecord } from '../lab/check/recording.ts';
import { ProgramPlayer } from '../lab/program_player.ts';
import type { Subject } from './subject.ts';

/** What a call did, without the words that repeat it. */
export type Outcome = Omit<OpRecord, 'op' | 'proc' | 'call'>;

export interface ProgramLine {
  /** From 1. */
  readonly line: number;
  /** null: not done, or a snapshot. */
  readonly outcome: Outcome | null;
}

/** Step after step; null: no program is open. */
export function programLines(subject: Subject): ProgramLine[] | null {
  if (subject.kind === 'host') return null;
  const { player } = subject.timeline;
  if (!(player instanceof ProgramPlayer)) return null;
  return player.program.lineOf.map((line, step) => {
    const record = player.results[step] ?? null;
    if (record === null) return { line, outcome: null };
    const { op: _op, proc: _proc, call: _call, ...outcome } = record;
    return { line, outcome };
  });
}

export const programQueries = { programLines } as const;
