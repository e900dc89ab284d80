/** Lesson 9: mappings for which there is no formula. */
import { F, page, place, S } from './ask.ts';
import type { Fact, Kernel, Lesson, Stand } from './lesson.ts';

const TOUR = `%mmp 1
%title pages in another order
%snapshot manual
%file data 8 shm
1 open("data", O_RDWR) = 3
1 mmap(0x100001000000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 load(0x100001000000, 32768)
# the last page of the file comes first, and the first last
1 remap_file_pages(0x100001000000, 4096, 0, 7, 0)
1 remap_file_pages(0x100001007000, 4096, 0, 0, 0)
# a child: a second region that may show any page
1 fork() = 2
2 remap_file_pages(0x100001000000, 4096, 0, 3, 0)
`;
const QUESTION = `%mmp 1
%title a new order
%snapshot manual
%file data 8 shm
1 open("data", O_RDWR) = 3
1 mmap(0x100001000000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 load(0x100001000000, 32768)
# address 2 and 3 show pages 5 and 6 now
1 remap_file_pages(0x100001002000, 8192, 0, 5, 0)
# and address 6 shows page 0
1 remap_file_pages(0x100001006000, 4096, 0, 0, 0)
1 load(0x100001000000, 32768)
`;

const at = (step: number, kernel: Kernel): Stand => ({ program: TOUR, kernel, step });
const FIRST: readonly [number, number] = [1, F];
const vmas = (want: number): Fact => ({
  says: 'regions of the file',
  ask: { of: 'vmas', pid: 1, from: F, to: S },
  want,
});

export const nonlinear: Lesson = {
  title: 'Nonlinear mappings',
  learn: 'remap_file_pages: pages in any order inside one region, and why the reverse map could not bear it.',
  minutes: 5,
  parts: [
    {
      title: 'In order',
      text: [
        'A file of tmpfs is mapped, eight pages in a row, in Linux 2.6.24. The formula of lesson 3 holds: the first address shows page {0}, and that is what is there.',
      ],
      stand: at(3, '2.6.24'),
      select: FIRST,
      beside: 'spaces',
      facts: [
        place('page of the file by the formula', 1, F, 'formulaIndex', 0),
        page('index of the frame that is there', FIRST, 'index', 0),
        vmas(1),
      ],
    },
    {
      title: 'Another order',
      text: [
        'Databases wanted windows into large files without a region for each. `remap_file_pages` puts another page at a place of the same region: at the first address is page {1} now, where the formula still says {0}.',
        'And there is {2} region, as before.',
      ],
      stand: at(5, '2.6.24'),
      select: FIRST,
      beside: 'spaces',
      facts: [
        place('page of the file by the formula', 1, F, 'formulaIndex', 0),
        page('index of the frame that is there', FIRST, 'index', 7),
        vmas(1),
      ],
    },
    {
      title: 'No formula, no way back',
      text: [
        'The region is marked nonlinear, and is in the file’s tree no more. It stands on a list of its own, and where a page is in it, only its entries say. To see who maps page 7 we look at *every entry* of {0} regions, {1} of them in vain: the child has one, too, with another page at its first place.',
        'The kernel does not go to such lengths. `page_referenced` does not ask these regions at all: that a page was used through them, it does not learn. `try_to_unmap` goes through them in clusters of `32` pages, and takes out *whatever* is there and was not used lately, until the page that it wanted was among it.',
      ],
      stand: at(7, '2.6.24'),
      select: FIRST,
      beside: 'reverse',
      facts: [
        page('regions that may have it', FIRST, 'visited', 2),
        page('of these in vain', FIRST, 'inVain', 1),
        page('entries that map it', FIRST, 'mapcount', 1),
      ],
    },
    {
      title: 'The same in 3.16',
      text: [
        'The call came in 2002; in 3.16, of 2014, all of this was there still, in every function that walks: the region count is {0}, the first address shows page {1}. Hardly anybody used it.',
      ],
      stand: at(7, '3.16'),
      select: FIRST,
      beside: 'reverse',
      facts: [
        vmas(1),
        page('index of the frame that is there', FIRST, 'index', 7),
        page('of the regions that may have it, in vain', FIRST, 'inVain', 1),
      ],
    },
    {
      title: 'Emulated',
      text: [
        'Linux 4.0, of 2015, removed it. The call is there still, but makes a new mapping each time: now there are {0} regions, and for each of them the formula holds. The first address shows page {1}, and the formula says so.',
      ],
      stand: at(5, '6.18'),
      select: FIRST,
      beside: 'spaces',
      facts: [
        vmas(3),
        place('page of the file by the formula', 1, F, 'formulaIndex', 7),
        page('index of the frame that is there', FIRST, 'index', 7),
      ],
    },
  ],
  question: {
    text: [
      'This program puts pages 5 and 6 to the third and fourth place, and page 0 to the seventh.',
      'Predict: how many regions has process 1 for the file at the end, in Linux 3.16 and in 6.18? Then run it, and count.',
    ],
    stand: { program: QUESTION, kernel: '3.16', step: 0 },
    beside: 'spaces',
    by: 'numbers',
    fields: ['regions in 3.16', 'regions in 6.18'],
    hint: 'In 6.18 neighbours are one region as long as their pages follow each other in the file. Write the eight page numbers in a row.',
    solution: {
      says: 'One region in 3.16. In 6.18 the row is 0 1 | 5 6 | 4 5 | 0 | 7: five.',
      numbers: [1, 5],
    },
  },
};
