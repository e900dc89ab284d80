/** Lesson 5: what a list for a whole family costs, and what links buy. */
import { A, page } from './ask.ts';
import type { Kernel, Lesson, Stand } from './lesson.ts';

const family = (children: number): string => {
  const all = Array.from({ length: children }, (_, n) => n + 2);
  return `%mmp 1
%title a parent and ${children} children
%snapshot manual
1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 65536, 1)
${all.map((pid) => `1 fork() = ${pid}\n`).join('')}# each child writes to all of it
${all.map((pid) => `${pid} store(0x100000000000, 65536, 2)\n`).join('')}`;
};
const TOUR = family(4);

const at = (step: number, kernel: Kernel): Stand => ({ program: TOUR, kernel, step });
const PARENT: readonly [number, number] = [1, A];
const LAST: readonly [number, number] = [5, A];

export const chains: Lesson = {
  title: 'Why chains?',
  learn: 'The same fork tree in 2.4, 2.5, 2.6 and 3.x: how many regions and entries one question costs.',
  minutes: 5,
  parts: [
    {
      title: 'A family',
      text: [
        'A server forks four children. Right after it, each page is mapped {0} times, and in 2.6.24 a walk visits {1} regions. Nothing is in vain.',
      ],
      stand: at(6, '2.6.24'),
      select: PARENT,
      beside: 'reverse',
      facts: [
        page('entries that map the frame', PARENT, 'mapcount', 5),
        page('regions that may have it', PARENT, 'visited', 5),
        page('of these in vain', PARENT, 'inVain', 0),
      ],
    },
    {
      title: 'One list for all',
      text: [
        'Now every child has written: each has copies of its own. But 2.6.24 has *one* anon_vma for the whole family, with one flat list of regions.',
        'For a page that only process 5 has, the walk visits {0} regions, {1} of them in vain. With a thousand children it would be a thousand, for every page that reclaim looks at.',
      ],
      stand: at(10, '2.6.24'),
      select: LAST,
      beside: 'reverse',
      facts: [
        page('regions that may have it', LAST, 'visited', 5),
        page('of these in vain', LAST, 'inVain', 4),
        page('mapping points to', LAST, 'owner', 'anon_vma 1'),
      ],
      drawing: 'flat-list',
    },
    {
      title: 'Links',
      text: [
        'The same step in 3.16. The child’s copy belongs to the child’s own anon_vma, and the walk visits {0} region, {1} in vain.',
        'That is what `anon_vma_chain` buys (since 2.6.34). It costs a link for each ancestor at every fork.',
      ],
      stand: at(10, '3.16'),
      select: LAST,
      beside: 'reverse',
      facts: [
        page('regions that may have it', LAST, 'visited', 1),
        page('of these in vain', LAST, 'inVain', 0),
        page('mapping points to', LAST, 'owner', 'anon_vma 5'),
      ],
      drawing: 'chains',
    },
    {
      title: 'What chains do not buy',
      text: [
        'The parent’s own page is of before the forks. Its anon_vma still links all children, so {0} regions may have it, {1} of them in vain. How many of them a walk meets before it has found the one entry is luck.',
        'A candidate list can only be as short as what the kernel remembers. It does not remember who copied which page.',
      ],
      stand: at(10, '3.16'),
      select: PARENT,
      beside: 'reverse',
      facts: [page('regions that may have it', PARENT, 'visited', 5), page('of these in vain', PARENT, 'inVain', 4)],
    },
    {
      title: 'An entry for each entry',
      text: [
        'Linux 2.5 remembered it, and 2.6 up to 2.6.6: each page had a list of its page-table entries, `pte_chain`. The walk visits {0}, and never one in vain.',
        'But every fork and every exit had to write to the list of every page. That was too dear: 2.6.7 went over to objects.',
      ],
      stand: at(10, '2.5.59'),
      select: LAST,
      beside: 'reverse',
      facts: [page('entries that the walk visits', LAST, 'visited', 1), page('of these in vain', LAST, 'inVain', 0)],
    },
    {
      title: 'No way back at all',
      text: [
        'And 2.4 remembered nothing. To find out who maps one page we have to look into {1} address spaces and at {0} entries, all there are.',
      ],
      stand: at(10, '2.4.19'),
      select: LAST,
      beside: 'reverse',
      facts: [
        page('entries looked through', LAST, 'ptesSearched', 80),
        page('address spaces looked through', LAST, 'mmsSearched', 5),
      ],
    },
  ],
  question: {
    text: [
      'Here the parent has *eight* children, numbers 2 to 9, and each writes to all of the memory.',
      'Predict: how many regions does the walk visit for the copy that *process 9* has at `0x100000000000`, in Linux 2.6.24 and in 3.16? Then run the program, and look.',
    ],
    stand: { program: family(8), kernel: '2.6.24', step: 0 },
    beside: 'reverse',
    by: 'numbers',
    fields: ['regions visited in 2.6.24', 'regions visited in 3.16'],
    hint: 'In 2.6.24 the one list of the family has the parent and all of its children. In 3.16 the copy belongs to its maker alone.',
    solution: { says: 'Nine regions in 2.6.24, one for each of the family; one in 3.16.', numbers: [9, 1] },
  },
};
