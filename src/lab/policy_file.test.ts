/** Policies out of files: the examples of docs/policies.md, and what the user hears of a file that is wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { examplesIn } from '../../scripts/examples.ts';
import { policyNamed, simulate } from '../policy/index.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { policyOf } from './policy_file.ts';
import { countPolicy } from './policy_run.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'revmap-policy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recording = await openRecording(join(root, 'examples', 'zipf.rvm.gz'));
const survey = surveyRecording(recording);
afterAll(() => closeRecording(recording));

async function countFile(name: string, text: string, limitBytes: number | null = 24 * 2 ** 20) {
  const file = join(folder, name);
  writeFileSync(file, text);
  return countPolicy(recording, survey, await policyOf(file), file, limitBytes);
}

test('the examples of docs/policies.md do better than FIFO and no better than OPT', async () => {
  const examples = examplesIn(root).filter(({ file, kind }) => file === 'docs/policies.md' && kind === 'ts');
  expect(examples.map(({ name }) => name)).toEqual(['slru', 'two_strikes']);
  const builtIn = async (name: string) => countPolicy(recording, survey, await policyOf(name), name, 24 * 2 ** 20);
  const [fifo, opt] = [await builtIn('FIFO'), await builtIn('OPT')];
  for (const { name, text } of examples) {
    const got = await countFile(`${name}.ts`, text);
    expect(got.misses, name).toBeLessThan(fifo.misses);
    expect(got.misses, name).toBeGreaterThan(opt.misses);
    expect(got.scans > 0, name).toBe(name === 'two_strikes');
  }
});

test('a file may import another, and the last page of memory may be given', async () => {
  writeFileSync(
    join(folder, 'oldest.ts'),
    'export const oldest = (from: Set<number>): number => from.values().next().value!;\n',
  );
  const text = `import { oldest } from './oldest';
    export default { name: 'mine', about: '', sees: 'accesses', start: (memory) => {
      const order = new Set<number>();
      return { hit() {}, miss(page: number) {
        if (memory.full) { const one = oldest(order); order.delete(one); memory.evict(one); }
        order.add(page);
      } };
    } };`;
  const got = await countFile('mine.ts', text);
  expect({ ...got, policy: 'FIFO' }).toEqual(
    countPolicy(recording, survey, policyNamed('FIFO')!, 'FIFO', 24 * 2 ** 20),
  );
});

const rule = (body: string, sees = 'accesses') =>
  `export default { name: 'mine', about: '', sees: '${sees}', start: (memory) => (${body}) };`;

for (const { why, text, says } of [
  {
    why: 'evicts a page that is not in memory',
    text: rule('{ hit() {}, miss(page) { if (memory.full) memory.evict(page); } }'),
    says: 'policy mine, access 1: evicts page 1, which is not in memory',
  },
  {
    why: 'evicts what is no page',
    text: rule('{ hit() {}, miss() { memory.evict(undefined) } }'),
    says: 'policy mine, access 0: evicts page undefined, which is not in memory',
  },
  {
    why: 'evicts nobody',
    text: rule('{ hit() {}, miss() {} }'),
    says: 'policy mine, access 1: evicts nothing, but 1 pages fill memory',
  },
  {
    why: 'tests a page that is not in memory',
    text: rule('{ fault(page) { if (page > 0) memory.testAndClearAccessed(page) } }', 'accessed bits'),
    says: 'policy mine, access 1: tests page 1, which is not in memory',
  },
  {
    why: 'throws',
    text: rule('{ hit() {}, miss() { throw new RangeError("not mine") } }'),
    says: 'policy mine, access 0: throws RangeError: not mine',
  },
  {
    why: 'throws at the start',
    text: `export default { name: 'mine', about: '', sees: 'accesses', start() { return null.x } };`,
    says: 'policy mine, access 0: throws TypeError',
  },
  { why: 'is no policy', text: 'export default 7;', says: 'its default export is no policy' },
  { why: 'is no program', text: 'export default {', says: 'mine.mjs:1: Expected identifier but found end of file' },
]) {
  test(`a file that ${why} is named, and the access`, async () => {
    const failed = countFile('mine.mjs', text, 4096);
    await expect(failed).rejects.toThrow(`${join(folder, 'mine.mjs')}:`);
    await expect(failed).rejects.toThrow(says);
    await expect(failed).rejects.toMatchObject({ name: 'InputError' });
  });
}

test('without a file there is nothing to read, and without a name nothing to find', async () => {
  await expect(policyOf('./nowhere.ts')).rejects.toThrow('./nowhere.ts: cannot be read (ENOENT)');
  await expect(policyOf('nobody')).rejects.toThrow("there is no policy 'nobody'");
});

test('the numbers of accesses are right beyond the first batch', () => {
  const stream = {
    pages: 3,
    accesses: 6,
    forEach: (visit: (ids: Int32Array, writes: Uint8Array, n: number) => void) => {
      for (const page of [0, 1, 2]) visit(Int32Array.of(page, page), new Uint8Array(2), 2);
    },
  };
  const start = () => ({ hit() {}, miss() {} });
  expect(() => simulate(stream, { name: 'mine', about: '', sees: 'accesses', start }, 2)).toThrow(
    'access 4: evicts nothing',
  );
});
