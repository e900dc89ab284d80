import { expect, test } from 'vitest';
import { shrink } from './shrink.ts';

const MAP = 'PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)';
const PROGRAM = `%mmp 1
%title something
%snapshot 5
%file A 24 disk cached
%swap 64
1 open("A", O_RDWR) = 10
1 mmap(0x100000040000, 40960, ${MAP}
1 store(0x100000042000, 16384, 99)
1 store(0x100000042000, 16384, 99)
1 fork() = 4
4 munmap(0x100000044000, 8192)
4 fork() = 7
7 mprotect(0x100000041000, 12288, PROT_READ)
4 madvise(0x100000041000, 4096, MADV_COLD)
1 exit_group(0)
7 load(0x100000042000+17, 1)
`;

for (const { why, fails, want } of [
  {
    why: 'one line is the cause',
    fails: (text: string) => /madvise\(.*MADV_COLD/.test(text),
    want: '%mmp 1\n1 madvise(0x100000000000, 4096, MADV_COLD)\n',
  },
  {
    why: 'two lines that read alike are both the cause',
    fails: (text: string) => (text.match(/store/g) ?? []).length === 2,
    want: '%mmp 1\n1 store(0x100000000000)\n1 store(0x100000000000)\n',
  },
  {
    why: 'a process needs who made it',
    fails: (text: string) => /fork\(\) = (\d+)\n(.*\n)*\1 fork\(\) = (\d+)\n(.*\n)*\3 mprotect/.test(text),
    want: `%mmp 1\n1 fork() = 2\n2 fork() = 3\n3 mprotect(0x100000000000, 4096, PROT_READ|PROT_WRITE)\n`,
  },
  {
    why: 'a length that matters is as short as it may be',
    fails: (text: string) => Number(/mmap\(0x\w+, (\d+)/.exec(text)?.[1]) > 3 * 4096 && text.includes('%file'),
    want: `%mmp 1\n%file A 1 disk cached\n1 mmap(0x100000000000, 16384, ${MAP.replace('MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', 'MAP_PRIVATE')}\n`,
  },
  { why: 'a program that does not fail stays as it is, but for its labels', fails: () => false, want: PROGRAM },
]) {
  test(`shrink: ${why}`, async () => {
    let batches = 0;
    const differs = async (candidates: string[]): Promise<boolean[]> => {
      batches += 1;
      return candidates.map(fails);
    };
    const small = await shrink(PROGRAM, differs);
    expect(small).toBe(await shrink(PROGRAM, differs));
    if (want === PROGRAM) expect(small).toBe(PROGRAM);
    else expect([fails(small), small.split('\n').length]).toEqual([true, want.split('\n').length]);
    expect(batches).toBeLessThan(150);
  });
}
