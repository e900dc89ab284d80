import { expect, test } from 'vitest';
import { compareQueries } from './compare.ts';
import { framesQueries } from './frames.ts';
import { hostQueries } from './host.ts';
import { lessonsQueries } from './lessons.ts';
import { listsQueries } from './lists.ts';
import { programQueries } from './program.ts';
import { queryNamed } from './queries.ts';
import { reverseQueries } from './reverse.ts';
import { spacesQueries } from './spaces.ts';
import { timeQueries } from './time.ts';

test('no two views ask under one name', () => {
  const views = [framesQueries, spacesQueries, reverseQueries, listsQueries, timeQueries, hostQueries];
  const others = [compareQueries, lessonsQueries, programQueries];
  const names = [...views, ...others].flatMap((queries) => Object.keys(queries));
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
  expect(Object.keys(queryNamed).sort()).toEqual([...names, 'chosen', 'resolve'].sort());
});
