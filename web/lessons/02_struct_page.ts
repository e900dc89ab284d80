/** Lesson 2: what the kernel knows of a frame. */
import { A, F, PAGE, page } from './ask.ts';
import { END, type Kernel, type Lesson, type Stand } from './lesson.ts';

const TOUR = `%mmp 1
%title struct page
%snapshot manual
%file book 4 disk cached
1 open("book", O_RDONLY) = 3
1 mmap(0x100001000000, 16384, PROT_READ, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100001000000, 16384)
1 store(0x100000000000, 16384, 1)
1 fork() = 2
2 store(0x100000000000, 1, 2)
`;
const START = `%mmp 1
%title one page, three entries
%snapshot manual
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 1)
1 fork() = 2
`;

const at = (step: number, kernel: Kernel = '6.18'): Stand => ({ program: TOUR, kernel, step });
const THIRD: readonly [number, number] = [1, F + 2 * PAGE];
const FIRST: readonly [number, number] = [1, A];

export const structPage: Lesson = {
  title: 'struct page',
  learn: 'The few words that the kernel keeps for each frame, and what they say.',
  minutes: 4,
  parts: [
    {
      title: 'A page of a file',
      text: [
        'For every frame of memory the kernel keeps one small record, `struct page`. Chosen is the third page of book.',
        '`mapping` says whose page it is: it points to the file’s page cache. `index` says which page of the file: {1}, for they count from zero.',
      ],
      stand: at(4),
      select: THIRD,
      beside: 'frames',
      facts: [page('mapping points to', THIRD, 'owner', 'book'), page('index', THIRD, 'index', 2)],
    },
    {
      title: 'The low bits of mapping',
      text: [
        'A page of private memory has no file. Its `mapping` points to an `anon_vma`, an object that knows where such pages may be mapped.',
        'How does the kernel tell the two apart? Both objects lie at even addresses, so the *lowest bit* of the pointer is free. It is {0} here, and {1} in the page of the file.',
      ],
      stand: at(5),
      select: FIRST,
      beside: 'frames',
      facts: [
        page('low bits of mapping, private page', FIRST, 'tag', 1),
        page('low bits of mapping, page of a file', THIRD, 'tag', 0),
        page('mapping points to', FIRST, 'owner', 'anon_vma 2'),
      ],
      drawing: 'mapping-word',
    },
    {
      title: 'Who uses it, who maps it',
      text: [
        'After `fork` both processes have the page. `_mapcount` counts page-table entries that show the frame. It begins at minus one, so the kernel stores one less than the {0} that we print.',
        '`_refcount` counts everybody who holds the page, entries among them: at {1} now. At zero the frame is free.',
      ],
      stand: at(6),
      select: FIRST,
      beside: 'reverse',
      facts: [page('entries that map it', FIRST, 'mapcount', 2), page('references', FIRST, 'refcount', 2)],
    },
    {
      title: 'Copy on write',
      text: [
        'Process 2 stores into the page, and gets a copy in a frame of its own. The old frame is mapped {0} time again, and so is the new one.',
        'The copy’s `mapping` points to another object: {2}. Lesson 4 says why.',
      ],
      stand: at(7),
      select: [2, A],
      beside: 'reverse',
      facts: [
        page('entries that map the old frame', FIRST, 'mapcount', 1),
        page('entries that map the copy', [2, A], 'mapcount', 1),
        page('mapping of the copy points to', [2, A], 'owner', 'anon_vma 3'),
      ],
    },
    {
      title: 'The same in 2.4',
      text: [
        'In Linux 2.4 struct page has no `_mapcount`, and the `mapping` of a private page is empty: nobody can say who maps it.',
        'Only `count` is there, {0} for the page that process 1 still has. Who wants to find the entry has to look through all page tables: {1} entries in this tiny machine.',
      ],
      stand: at(7, '2.4.19'),
      select: FIRST,
      beside: 'frames',
      facts: [page('count', FIRST, 'refcount', 1), page('entries looked through', FIRST, 'ptesSearched', 16)],
    },
  ],
  question: {
    text: [
      'Make the page at `0x100000000000` of process 1 have a mapcount of *three*.',
      'The program beside has a page that is mapped twice. One more line is enough.',
    ],
    stand: { program: START, kernel: '6.18', step: END },
    beside: 'editor',
    by: 'program',
    fields: [],
    hint: 'Who could be the third? A process that is born with the page, like the second.',
    solution: {
      says: 'A second child is born with all of the page’s entries, too.',
      stand: { program: `${START}1 fork() = 3\n` },
    },
  },
};
