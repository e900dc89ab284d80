import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Guest, programFile, type Question, questionLine } from './guest.ts';

const question: Question = {
  limitBytes: 25532 * 1024,
  swap: 'zram',
  swapBytes: 512 * 2 ** 20,
  mglru: true,
  swappiness: 60,
  pageCluster: 3,
  timeoutSeconds: 900,
};

test('a question is a line', () => {
  expect(questionLine(question)).toBe('run 25532 zram 524288 y 60 3 900\n');
  expect(questionLine({ ...question, limitBytes: null, mglru: false })).toBe('run 0 zram 524288 n 60 3 900\n');
});

function talk(said: string) {
  const output = new PassThrough();
  output.end(said);
  return new Guest(new PassThrough(), output, () => 'kernel panic');
}

test('an answer ends with `end`; line ends may be those of a serial line', async () => {
  const guest = talk(
    'noise\r\nready\r\nv.pswpin 7\r\nstderr no such file\r\nstatus 3\r\nend\r\nv.pswpin 8\r\nstatus 0\r\nend\r\n',
  );
  await guest.ready();
  const first = await guest.ask(question);
  expect(first).toEqual({
    status: 3,
    counts: new Map([
      ['v.pswpin', 7],
      ['status', 3],
    ]),
    stderr: ['no such file'],
  });
  expect((await guest.ask(question)).counts.get('v.pswpin')).toBe(8);
});

for (const { why, said, want } of [
  { why: 'the guest refuses', said: 'failed cannot write /x: No such file\n', want: 'cannot write /x' },
  { why: 'the machine ends in the middle', said: 'v.pswpin 7\n', want: 'the machine ended: kernel panic' },
]) {
  test(`no answer: ${why}`, async () => await expect(talk(said).ask(question)).rejects.toThrow(want));
}

test('empty arguments arrive', () => {
  const file = programFile('/tmp', ['sed', ''], { A: 'b', C: '' });
  expect(file.toString()).toBe('/tmp\0' + '2\0sed\0\0' + '2\0A=b\0C=\0');
});
