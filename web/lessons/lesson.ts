/**
 * What a lesson is made of.
 *
 * Promises  1. A number in a text stands there as `{n}`: what the n-th fact beside it is wanted to be. The test asks the engine.
 *           2. In a text, `code` stands between backquotes, and *what is stressed* between asterisks.
 */
import type { KERNELS } from '../../src/view/choice.ts';
import type { Ask, PageName } from '../../src/view/lessons_ask.ts';
import type { ViewId } from '../app/views.ts';
import type { DrawingId } from './drawing_ids.ts';

export type Kernel = (typeof KERNELS)[number]['version'];

/** How the machine stands. */
export interface Stand {
  readonly program: string;
  readonly kernel: Kernel;
  /** Bytes of memory; left out: as large as the program needs. */
  readonly memory?: number;
  /** Calls that are made. */
  readonly step: number;
}

export interface Fact {
  readonly says: string;
  readonly ask: Ask;
  readonly want: number | string;
}

export interface Part {
  readonly title: string;
  readonly text: readonly string[];
  readonly stand: Stand;
  /** The page that is chosen, or null: nothing is. */
  readonly select: PageName | null;
  /** The view beside the lesson. */
  readonly beside: ViewId;
  readonly facts: readonly Fact[];
  readonly drawing?: DrawingId;
}

/** What the reader does for an answer. */
export type AnswerBy = 'program' | 'page' | 'numbers' | 'memory';

export interface Question {
  readonly text: readonly string[];
  readonly stand: Stand;
  readonly beside: ViewId;
  readonly by: AnswerBy;
  /** Names of the numbers. */
  readonly fields: readonly string[];
  readonly hint: string;
  readonly solution: {
    /** In words. */
    readonly says: string;
    /** What else than the question's stand it needs. */
    readonly stand?: Partial<Stand>;
    readonly numbers?: readonly number[];
    readonly page?: PageName;
  };
}

export interface Lesson {
  readonly title: string;
  /** What one learns. */
  readonly learn: string;
  readonly minutes: number;
  readonly parts: readonly Part[];
  readonly question: Question;
}

/** Ends a program: all steps are made. */
export const END: number = 2 ** 30;

export const MIB: number = 2 ** 20;
