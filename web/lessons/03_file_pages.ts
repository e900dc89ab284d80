/** Lesson 3: the two formulas between an address and a page of a file. */
import { A, PAGE, page, place } from './ask.ts';
import { END, type Kernel, type Lesson, type Stand } from './lesson.ts';

const W2 = A + 0x10_0000;
const TOUR = `%mmp 1
%title two windows on one file
%snapshot manual
%file map 16 disk cached
1 open("map", O_RDWR) = 3
# pages 0 to 7, and pages 4 to 11
1 mmap(0x100000000000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0x4000)
1 load(0x100000000000, 32768)
1 load(0x100000100000, 32768)
1 fork() = 2
`;
const QUESTION = `${TOUR}# process 2 maps the file a third time, from its page 2 on
2 mmap(0x100000300000, 40960, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0x2000)
2 load(0x100000300000, 40960)
`;

const at = (step: number, kernel: Kernel = '6.18'): Stand => ({ program: TOUR, kernel, step });
const FIVE: readonly [number, number] = [1, A + 5 * PAGE];
const ONE: readonly [number, number] = [1, A + PAGE];

export const filePages: Lesson = {
  title: 'From address to file page and back',
  learn: 'Two short formulas: which page of a file is at an address, and at which address a page of a file is.',
  minutes: 5,
  parts: [
    {
      title: 'Forward',
      text: [
        'A process maps the file map from its beginning. Which page of the file is at address `0x100000005000`?',
        'Count the pages from the region’s start, and add the page with which the region begins (`vm_pgoff`, zero here): page {0}. With this number the kernel looks into the file’s page cache.',
      ],
      stand: at(4),
      select: FIVE,
      beside: 'spaces',
      facts: [
        place('page of the file by the formula', 1, A + 5 * PAGE, 'formulaIndex', 5),
        page('index of the frame that is there', FIVE, 'index', 5),
      ],
    },
    {
      title: 'A second window',
      text: [
        'The second region shows the same file from its page 4 on. At `0x100000101000`, one page behind its start, is page {0} as well.',
        'It is the same frame: there is *one* page cache for each file, whoever looks. The frame is mapped {1} times now.',
      ],
      stand: at(5),
      select: [1, W2 + PAGE],
      beside: 'reverse',
      facts: [
        place('page of the file by the formula', 1, W2 + PAGE, 'formulaIndex', 5),
        page('entries that map its frame', FIVE, 'mapcount', 2),
      ],
      drawing: 'formula',
    },
    {
      title: 'Back',
      text: [
        'Reclaim has the frame, and wants the entries. `mapping` leads to the file, and the file knows the regions that show it. In each of them:',
        '`address = vm_start + ((index − vm_pgoff) << PAGE_SHIFT)`. The walk finds {0} regions for page 5, none of them in vain.',
      ],
      stand: at(5),
      select: FIVE,
      beside: 'reverse',
      facts: [page('regions that may have it', FIVE, 'visited', 2), page('of these in vain', FIVE, 'inVain', 0)],
      drawing: 'formula',
    },
    {
      title: 'Outside the window',
      text: [
        'Page 1 is before the second window: there the formula gives an address below its start, so that region is none of its places.',
        'The kernel does not even ask it. The regions of a file stand in a tree by what they show, and the tree hands out those that show page 1: {0} here.',
      ],
      stand: at(5),
      select: ONE,
      beside: 'reverse',
      facts: [page('regions that may have it', ONE, 'visited', 1), page('entries that map it', ONE, 'mapcount', 1)],
    },
    {
      title: 'Candidates',
      text: [
        'A child has the same regions, but `fork` copied no entries: it can find the pages of a file again by itself. Page 5 may be in {0} regions now, and {1} of them are asked in vain.',
        'A region is only a *candidate*. Whether it maps the frame, its page table says.',
      ],
      stand: at(6),
      select: FIVE,
      beside: 'reverse',
      facts: [
        page('regions that may have it', FIVE, 'visited', 4),
        page('of these in vain', FIVE, 'inVain', 2),
        page('entries that map it', FIVE, 'mapcount', 2),
      ],
    },
  ],
  question: {
    text: [
      'In this program process 2 maps the file once more, at `0x100000300000`, from page 2 of the file on.',
      'Choose the page at which *process 2* has *page 9* of the file in that region: type `2:0x…` into “Go to”, or find it in a view.',
    ],
    stand: { program: QUESTION, kernel: '6.18', step: END },
    beside: 'spaces',
    by: 'page',
    fields: [],
    hint: 'The formula of the part “Back”: how many pages behind the region’s start is page 9, when the region starts with page 2?',
    solution: {
      says: 'Seven pages behind the start: 0x100000300000 + (9 − 2) · 0x1000 = 0x100000307000.',
      page: [2, 0x1000_0030_7000],
    },
  },
};
