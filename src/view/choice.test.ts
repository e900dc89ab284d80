import { expect, test } from 'vitest';
import { GENERATIONS } from '../mm/generations/index.ts';
import { KERNELS } from './choice.ts';

test('the page offers every kernel that there is', () => {
  const recipes = GENERATIONS.map(({ version, multiGen }) => ({ version, hasMglru: multiGen !== null }));
  expect(KERNELS).toEqual(recipes);
});
