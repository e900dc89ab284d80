/**
 * Every question that a view of the page may ask, by name.
 *
 * Promises  Answers are plain data that can be sent from a worker to a page: numbers, strings, arrays, objects, typed arrays of their
 *           own (whoever asked may keep them, so no column of the machine is given away).
 */
import { chosen } from './chosen.ts';
import { compareQueries } from './compare.ts';
import { framesQueries } from './frames.ts';
import { hostQueries } from './host.ts';
import { lessonsQueries } from './lessons.ts';
import { listsQueries } from './lists.ts';
import { programQueries } from './program.ts';
import { reverseQueries } from './reverse.ts';
import { resolve } from './selection.ts';
import { spacesQueries } from './spaces.ts';
import type { Subject } from './subject.ts';
import { timeQueries } from './time.ts';

const QUERIES = {
  resolve,
  chosen,
  ...framesQueries,
  ...spacesQueries,
  ...reverseQueries,
  ...listsQueries,
  ...timeQueries,
  ...hostQueries,
  ...compareQueries,
  ...lessonsQueries,
  ...programQueries,
} as const;

export type Queries = typeof QUERIES;
export type QueryName = keyof Queries;
/** What stands behind the subject. */
export type QueryArgs<K extends QueryName> = Parameters<Queries[K]> extends [unknown, ...infer Rest] ? Rest : never;
export type Answer<K extends QueryName> = ReturnType<Queries[K]>;

/** The same, for whoever has a name in his hand. */
export const queryNamed: { readonly [K in QueryName]: (subject: Subject, ...args: QueryArgs<K>) => Answer<K> } =
  QUERIES;
