/** Lesson 4: how a private page finds those who map it, across fork. */
import { A, PAGE, page, place } from './ask.ts';
import { END, type Lesson, type Stand } from './lesson.ts';

const START = `%mmp 1
%title private memory and fork
%snapshot manual
1 mmap(0x100000000000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 32768, 1)
1 fork() = 2
`;
const TOUR = `${START}# the child writes to the first page, its own child to the second
2 store(0x100000000000, 4096, 2)
2 fork() = 3
3 store(0x100000001000, 4096, 3)
`;

const at = (step: number): Stand => ({ program: TOUR, kernel: '3.16', step });
const FIRST: readonly [number, number] = [1, A];
const SECOND: readonly [number, number] = [1, A + PAGE];
const THIRD: readonly [number, number] = [1, A + 2 * PAGE];

export const anonRmap: Lesson = {
  title: 'Private pages and fork',
  learn: 'anon_vma and its chains: how a private page that has no file finds everyone who maps it.',
  minutes: 5,
  parts: [
    {
      title: 'An object for pages without one',
      text: [
        'Private memory has no file that could keep a list of its regions. So the kernel makes an object for it, an `anon_vma`, at the first store into the region.',
        'The page points to it, and it points to the region: a walk visits {1}.',
      ],
      stand: at(2),
      select: FIRST,
      beside: 'reverse',
      facts: [
        page('mapping points to', FIRST, 'owner', 'anon_vma 1'),
        page('regions that may have it', FIRST, 'visited', 1),
      ],
    },
    {
      title: 'fork',
      text: [
        'The child is born with the parent’s entries: each frame is mapped {0} times. So the child’s region is linked to the parent’s anon_vma.',
        'It gets one of its own as well, for the pages that it will make. A link is called `anon_vma_chain`; the child’s region has {1} of them.',
      ],
      stand: at(3),
      select: FIRST,
      beside: 'reverse',
      facts: [
        page('entries that map the frame', FIRST, 'mapcount', 2),
        place('links of the child’s region', 2, A, 'chain', 2),
        page('regions that may have it', FIRST, 'visited', 2),
      ],
      drawing: 'chains',
    },
    {
      title: 'The child writes',
      text: [
        'The child’s copy of the first page belongs to the child’s own anon_vma, {0}. Its parent has nothing to do with it: the walk visits {1} region.',
      ],
      stand: at(4),
      select: [2, A],
      beside: 'reverse',
      facts: [
        page('mapping of the copy points to', [2, A], 'owner', 'anon_vma 2'),
        page('regions that may have it', [2, A], 'visited', 1),
        page('of these in vain', [2, A], 'inVain', 0),
      ],
    },
    {
      title: 'In vain',
      text: [
        'And the parent’s frame? Its anon_vma still links the child, for all the other pages that they share. So {0} regions may have the page, {1} of them in vain: the child’s entry shows another frame. (A walk ends when it has met as many entries as the mapcount says, so it may be spared that one.)',
      ],
      stand: at(4),
      select: FIRST,
      beside: 'reverse',
      facts: [
        page('regions that may have it', FIRST, 'visited', 2),
        page('of these in vain', FIRST, 'inVain', 1),
        page('entries that map the frame', FIRST, 'mapcount', 1),
      ],
    },
    {
      title: 'Three generations',
      text: [
        'The grandchild’s region has {0} links: to its own anon_vma, its parent’s and its grandparent’s. A page that nobody wrote to since is mapped by all three.',
      ],
      stand: at(6),
      select: THIRD,
      beside: 'reverse',
      facts: [
        place('links of the grandchild’s region', 3, A, 'chain', 3),
        page('entries that map the third page', THIRD, 'mapcount', 3),
        page('entries that map the second page', SECOND, 'mapcount', 2),
        page('regions that may have the second page', SECOND, 'visited', 3),
      ],
    },
  ],
  question: {
    text: [
      'After this program process 1 and process 2 share eight frames, all they have.',
      'Add lines, so that at the end they share *exactly four*, and both still live.',
    ],
    stand: { program: START, kernel: '3.16', step: END },
    beside: 'editor',
    by: 'program',
    fields: [],
    hint: 'A frame stops being shared when one of the two gets a copy, or lets go of it. What makes a copy?',
    solution: {
      says: 'The child stores into four of the eight pages, and has copies of them.',
      stand: { program: `${START}2 store(0x100000000000, 16384, 2)\n` },
    },
  },
};
