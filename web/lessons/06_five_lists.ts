/** Lesson 6: where reclaim looks, and in which order. */
import { A, list, page } from './ask.ts';
import { END, type Kernel, type Lesson, type Stand } from './lesson.ts';

const TOUR = `%mmp 1
%title the five lists
%snapshot manual
%file once 8 disk
%file twice 8 disk
1 open("once", O_RDONLY) = 3
1 open("twice", O_RDONLY) = 4
1 mmap(0x100000000000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 32768, 1)
1 pread64(3, buf, 32768, 0)
1 pread64(4, buf, 32768, 0)
1 pread64(4, buf, 32768, 0)
1 load(0x100000000000)
1 mlock(0x100000000000, 8192)
1 load(0x100000000000)
`;
const QUESTION = `%mmp 1
%title who is next?
%snapshot manual
%file once 8 disk
%file more 8 disk
1 open("once", O_RDONLY) = 3
1 open("more", O_RDONLY) = 4
# all of it, and then its first page again
1 pread64(3, buf, 32768, 0)
1 pread64(3, buf, 4096, 0)
1 pread64(4, buf, 32768, 0)
snapshot
`;

const at = (step: number, kernel: Kernel = '6.18'): Stand => ({ program: TOUR, kernel, step });

export const fiveLists: Lesson = {
  title: 'The five lists',
  learn: 'Where every page stands that reclaim may look at: two pairs of lists, and one that is left alone.',
  minutes: 5,
  parts: [
    {
      title: 'Private memory',
      text: [
        'Pages stand in lists, and reclaim takes them from the tail. The program has stored into {0} pages of private memory: they are at the head of `inactive_anon`.',
        'A new page waits a moment in a small batch of its CPU. Here batches are emptied before each line, so a list has it one line later.',
      ],
      stand: at(5),
      select: [1, A],
      beside: 'lists',
      facts: [list('inactive_anon', 8), list('active_anon', 0)],
      drawing: 'five-lists',
    },
    {
      title: 'Pages of files',
      text: [
        'Pages of files have lists of their own: {0} pages of once, read once, are on `inactive_file`. Reclaim can choose from which pair it takes.',
        'It prefers files, as they often need no write.',
      ],
      stand: at(6),
      select: ['once', 0],
      beside: 'lists',
      facts: [
        list('inactive_file', 8),
        list('active_file', 0),
        page('the list of the first page', ['once', 0], 'list', 'inactive_file'),
      ],
    },
    {
      title: 'Used twice',
      text: [
        'The file twice was read two times. The first use sets `referenced`, the second moves the page to `active_file`: {1} pages are there now.',
        'What a program reads only once never gets there. So a large copy does not push out what is in use.',
      ],
      stand: at(8),
      select: ['twice', 0],
      beside: 'lists',
      facts: [
        list('inactive_file', 8),
        list('active_file', 8),
        page('the list of the first page', ['twice', 0], 'list', 'active_file'),
      ],
    },
    {
      title: 'Left alone',
      text: [
        'Two pages are locked with `mlock`, and are on `unevictable` now. No scan looks at that list: {0} pages there, {1} left on `inactive_anon`.',
      ],
      stand: at(9),
      select: [1, A],
      beside: 'lists',
      facts: [
        list('unevictable', 2),
        list('inactive_anon', 6),
        page('the list of the locked page', [1, A], 'list', 'unevictable'),
      ],
    },
    {
      title: 'The same in 3.16',
      text: [
        'The five lists came with 2.6.28. Until 5.8 new private pages began on `active_anon`: there are {0} here. They went to the inactive list when it had become too short.',
      ],
      stand: at(9, '3.16'),
      select: [1, A],
      beside: 'lists',
      facts: [list('active_anon', 6), list('inactive_anon', 0), list('unevictable', 2)],
    },
    {
      title: 'Before: two lists for all',
      text: [
        'In 2.6.24 private pages and files share two lists, and locked pages stand among them: {0} pages are on `active`. A scan meets the locked ones again and again, and learns each time that they have to stay.',
      ],
      stand: at(9, '2.6.24'),
      select: [1, A],
      beside: 'lists',
      facts: [list('active', 16), list('inactive', 8), page('the list of the locked page', [1, A], 'list', 'active')],
    },
  ],
  question: {
    text: [
      'This program reads all of once, then the first page of once again, then the file more.',
      'Choose the frame that a scan of *inactive_file* looks at *first*.',
    ],
    stand: { program: QUESTION, kernel: '6.18', step: END },
    beside: 'lists',
    by: 'page',
    fields: [],
    hint: 'A scan begins at the tail, and pages come in at the head. Which page came first, and is not on the active list by now?',
    solution: {
      says: 'The second page of once: the first was used twice and is active; all others came later.',
      page: ['once', 1],
    },
  },
};
