/** Lesson 8: where private pages go, and what is known of them meanwhile. */
import { A, event, page, place } from './ask.ts';
import { END, type Lesson, type Stand } from './lesson.ts';

const START = `%mmp 1
%title out and in
%snapshot manual
%swap 16
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 9)
1 madvise(0x100000000000, 16384, MADV_PAGEOUT)
`;
const TOUR = `${START}1 fork() = 2
2 load(0x100000000000)
2 store(0x100000000000, 1, 5)
1 load(0x100000000000)
1 store(0x100000000000, 1, 7)
`;

const at = (step: number): Stand => ({ program: TOUR, kernel: '6.18', step });
const MINE: readonly [number, number] = [1, A];
const CHILDS: readonly [number, number] = [2, A];

export const swapLesson: Lesson = {
  title: 'Swap and swap cache',
  learn: 'How a page leaves memory and comes back, and why one that is back may keep its slot.',
  minutes: 5,
  parts: [
    {
      title: 'Before',
      text: ['The program has four pages of private memory. Nothing is in the swap area: {1} slots are used.'],
      stand: at(2),
      select: MINE,
      beside: 'spaces',
      facts: [
        place('at the address there is', 1, A, 'state', 'a frame'),
        { says: 'slots that are used', ask: { of: 'swapUsed' }, want: 0 },
      ],
    },
    {
      title: 'Out',
      text: [
        '`MADV_PAGEOUT` asks for what reclaim does otherwise: each page gets a slot of the swap area, every entry that shows it is replaced by the slot’s number, and the page is written.',
        'The entry of the first page holds slot {1} now. The program does not notice, until it looks.',
      ],
      stand: at(3),
      select: MINE,
      beside: 'spaces',
      facts: [
        place('at the address there is', 1, A, 'state', 'swap'),
        place('slot', 1, A, 'slot', 1),
        event('pages written to swap', 'pswpout', 4),
      ],
      drawing: 'swap-entry',
    },
    {
      title: 'Two entries, one slot',
      text: [
        'A child is born. It gets a copy of the entry, so the slot has {0} users. The *swap cache* makes sure that both will find the same frame again: it knows for each slot which page, if any, has its content in memory.',
      ],
      stand: at(4),
      select: CHILDS,
      beside: 'spaces',
      facts: [
        place('users of the slot', 1, A, 'slotUsers', 2),
        place('the child has', 2, A, 'state', 'swap'),
        place('in the swap cache', 1, A, 'inSwapCache', 'yes'),
      ],
    },
    {
      title: 'In',
      text: [
        'The child reads. Its fault looks into the swap cache first, and is lucky: the frame that was just written is there still. Nothing is read from the disk, so {1} major faults.',
        'The slot has {2} user left: the parent’s entry.',
      ],
      stand: at(5),
      select: CHILDS,
      beside: 'reverse',
      facts: [
        place('the child has', 2, A, 'state', 'a frame'),
        event('major faults', 'pgmajfault', 0),
        place('users of the slot', 1, A, 'slotUsers', 1),
        page('flags of the frame', CHILDS, 'flags', 'uptodate lru swapcache swapbacked'),
      ],
    },
    {
      title: 'A write',
      text: [
        'Now the child writes. The old content is needed: the parent’s entry still names the slot. So the child gets a copy, which is in no cache and has no slot.',
      ],
      stand: at(6),
      select: CHILDS,
      beside: 'reverse',
      facts: [
        page('entries that map the child’s frame', CHILDS, 'mapcount', 1),
        place('the parent has', 1, A, 'state', 'swap'),
        place('in the swap cache', 1, A, 'inSwapCache', 'yes'),
      ],
    },
    {
      title: 'The slot is given back',
      text: [
        'The parent reads, and then writes. As it is the only one, it needs no copy. But what is in the slot is old now, so the slot is given back: {0} of the four are left.',
      ],
      stand: at(8),
      select: MINE,
      beside: 'reverse',
      facts: [
        { says: 'slots that are used', ask: { of: 'swapUsed' }, want: 3 },
        page('flags of the frame', MINE, 'flags', 'uptodate dirty lru swapbacked anon_exclusive'),
      ],
    },
  ],
  question: {
    text: [
      'This program ends when its four pages are out. Add lines, so that at the end the first page, at `0x100000000000`, is *in the swap cache and mapped by two processes* at once.',
    ],
    stand: { program: START, kernel: '6.18', step: END },
    beside: 'editor',
    by: 'program',
    fields: [],
    hint: 'Who could be the second process? And both have to look, without writing.',
    solution: {
      says: 'A child inherits the entry; both read, and find the same frame. Nobody wrote, so the slot is good still.',
      stand: { program: `${START}1 fork() = 2\n1 load(0x100000000000)\n2 load(0x100000000000)\n` },
    },
  },
};
