/** The words of `revmap frames`: a picture, ranges and tables are three answers, and one is asked for at a time. */
import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { addFrames } from './frames.ts';

for (const words of [
  ['--map', '--pfns'],
  ['--map', '--by', 'kind'],
  ['--pfns', '--by', 'kind'],
]) {
  test(`frames ${words.join(' ')}: refused`, async () => {
    const program = new Command('revmap').exitOverride();
    let said = '';
    const add = (text: string): void => {
      said += text;
    };
    program.configureOutput({ writeErr: add, writeOut: add });
    addFrames(program);
    await expect(program.parseAsync(['frames', ...words], { from: 'user' })).rejects.toThrow(CommanderError);
    expect(said).toMatch(/cannot be used with/);
  });
}
