/** Programs to begin from: some that real kernels were recorded with, and those that lessons end with. */
import cow from '../../../oracle/corpus/03-cow-tree.mmp?raw';
import files from '../../../oracle/corpus/04-file-mappings.mmp?raw';
import shared from '../../../oracle/corpus/05-shared-anon-fork.mmp?raw';
import mlock from '../../../oracle/corpus/06-mlock.mmp?raw';
import swap from '../../../oracle/corpus/07-swap.mmp?raw';
import { FIRST_PROGRAM } from '../../app/first_program.ts';
import { LESSONS } from '../../lessons/index.ts';

export interface Example {
  readonly group: 'To begin' | 'Recorded on real kernels' | 'From the lessons';
  readonly says: string;
  readonly text: string;
}

const EMPTY = `%mmp 1
%title 
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
`;

export const EXAMPLES: readonly Example[] = [
  { group: 'To begin', says: 'a file, private memory, a fork', text: FIRST_PROGRAM },
  { group: 'To begin', says: 'nearly nothing', text: EMPTY },
  { group: 'Recorded on real kernels', says: 'copy on write over three generations', text: cow },
  { group: 'Recorded on real kernels', says: 'files, mapped shared and private', text: files },
  { group: 'Recorded on real kernels', says: 'shared memory and fork', text: shared },
  { group: 'Recorded on real kernels', says: 'locked memory', text: mlock },
  { group: 'Recorded on real kernels', says: 'out to swap and back', text: swap },
  ...LESSONS.map(({ title, parts }, n): Example => {
    return { group: 'From the lessons', says: `${n + 1}: ${title}`, text: parts.at(-1)!.stand.program };
  }),
];
