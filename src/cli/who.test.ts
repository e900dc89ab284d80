/** The words of `revmap who`: one question at a time, and what is asked about a host needs no engine. */
import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { addWho } from './who.ts';

/** What is said, and the exit code, of a question that is refused. */
async function refused(...words: string[]): Promise<string> {
  const program = new Command('revmap').exitOverride();
  let said = '';
  const add = (text: string): void => {
    said += text;
  };
  program.configureOutput({ writeErr: add, writeOut: add });
  await addWho(program, words);
  await expect(program.parseAsync(['who', ...words], { from: 'user' })).rejects.toThrow(CommanderError);
  return said;
}

for (const { words, said } of [
  { words: [], said: /which page\?/ },
  { words: ['--pid', '3'], said: /--pid alone asks nothing/ },
  { words: ['--addr', '0x1000'], said: /--pid says which/ },
  { words: ['--pfn', '5', '--file', 'x'], said: /--pfn and --file are 2 questions/ },
  { words: ['--pid', '3', '--pfn', '5'], said: /--pid does not go with --pfn/ },
  { words: ['--offset', '5'], said: /--file says which/ },
  { words: ['--pfn', 'x'], said: /A whole number: 4096, or 0x1000/ },
  { words: ['--pfn', '0x12345678901234567890'], said: /A whole number/ },
  { words: ['a.rvm'], said: /required option '--page <page>'/ },
  { words: ['a.rvm', '--pfn', '5'], said: /--pfn is about a host/ },
  { words: ['--page', '0x5000'], said: /missing argument 'recording'/ },
  { words: ['--pfn', '5', '--kernel', '6.1'], said: /--kernel is about a recording/ },
  { words: ['a.rvm', '--page', '0x5000', '--from', 'b'], said: /--from is about a host/ },
  { words: ['--help'], said: /\(default:\s+end\)/ },
  { words: ['--help'], said: /--shared-with <pid>[\s\S]*--page <page>[\s\S]*--kernel/ },
]) {
  test(
    `who ${words.join(' ')}: refused, or explained`,
    async () => expect(await refused(...words)).toMatch(said),
    60_000,
  );
}
