/** Lesson 10: the same program, short of memory, in kernels of 2002 and of 2025. */
import { A, event, place } from './ask.ts';
import { END, type Kernel, type Lesson, MIB, type Stand } from './lesson.ts';

const TOUR = `%mmp 1
%title short of memory
%snapshot manual
%swap 16
%file book 512 disk
1 open("book", O_RDONLY) = 3
1 mmap(0x100000000000, 256*4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 mmap(0x100001000000, 512*4096, PROT_READ, MAP_SHARED|MAP_FIXED, 3, 0)
# a mebibyte of one's own, a file of two, and one's own again
1 store(0x100000000000, 256*4096, 1)
1 load(0x100001000000, 512*4096)
1 load(0x100000000000, 256*4096)
# another mebibyte: memory is full
1 mmap(0x100002000000, 256*4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100002000000, 256*4096, 1)
1 load(0x100000000000, 256*4096)
`;

const at = (step: number, kernel: Kernel): Stand => ({ program: TOUR, kernel, memory: 4 * MIB, step });

export const pressure: Lesson = {
  title: '2.4 against 6.x under pressure',
  learn: 'What a reverse map is for: the same program on the same small machine, with and without one.',
  minutes: 6,
  parts: [
    {
      title: 'Nearly full',
      text: [
        'A machine of 4 MiB again. The program keeps a mebibyte of its own, and has read a file of two. In 6.18 {0} frames are free; nothing was written to swap.',
      ],
      stand: at(6, '6.18'),
      select: [1, A],
      beside: 'time',
      facts: [{ says: 'free frames', ask: { of: 'free' }, want: 129 }, event('pages written to swap', 'pswpout', 0)],
    },
    {
      title: '6.18: the file goes',
      text: [
        'One mebibyte more. The scan takes pages of the file, which are clean, and finds each one’s entries by the reverse map: {0} pages were looked at, {1} freed, {2} written to swap.',
      ],
      stand: at(9, '6.18'),
      select: [1, A],
      beside: 'lists',
      facts: [
        { says: 'pages looked at', ask: { of: 'work', word: 'pagesScanned' }, want: 720 },
        { says: 'pages freed', ask: { of: 'work', word: 'pagesReclaimed' }, want: 208 },
        event('pages written to swap', 'pswpout', 0),
        { says: 'entries looked at', ask: { of: 'work', word: 'ptesVisited' }, want: 928 },
      ],
    },
    {
      title: '2.4: no way from page to entry',
      text: [
        'The same in 2.4.19. Its scan meets pages that are mapped, and can do nothing with them: it does not know by whom. When it has met enough of them, `swap_out` goes through *address spaces* instead, and takes out what it finds there and was not used since it last came by.',
        'It looked at {0} entries on {1} such tours, to free {2} pages.',
      ],
      stand: at(9, '2.4.19'),
      select: [1, A],
      beside: 'lists',
      facts: [
        { says: 'entries looked at', ask: { of: 'work', word: 'ptesVisited' }, want: 2752 },
        { says: 'tours through an address space', ask: { of: 'work', word: 'mmsWalked' }, want: 24 },
        { says: 'pages freed', ask: { of: 'work', word: 'pagesReclaimed' }, want: 160 },
      ],
    },
    {
      title: 'What it took',
      text: [
        'What `swap_out` finds is what lies in its way: the program’s own memory. {0} pages were written to swap, and {1} had to be read back when the program came to them. It had {2} major faults there; in 6.18 none.',
      ],
      stand: at(9, '2.4.19'),
      select: [1, A],
      beside: 'time',
      facts: [
        event('pages written to swap', 'pswpout', 256),
        event('pages read from swap', 'pswpin', 38),
        { says: 'major faults of the last line', ask: { of: 'line', step: 9, word: 'majflt' }, want: 13 },
      ],
    },
    {
      title: 'In between',
      text: [
        'Linux 2.6.24 has a reverse map, but in each zone one pair of lists for pages of all kinds. It wrote {0} pages to swap, and read back {1}. With the lists of 3.16, files apart from private memory, it is {2} again.',
        'Here you see 2.6.24. Choose another kernel under “Machine”, and compare.',
      ],
      stand: at(9, '2.6.24'),
      select: [1, A],
      beside: 'time',
      facts: [
        event('pages written to swap', 'pswpout', 128),
        event('pages read from swap', 'pswpin', 0),
        { says: 'pages written to swap in 3.16', ask: { of: 'other', kernel: '3.16', name: 'pswpout' }, want: 0 },
        place('at the first address there is', 1, A, 'state', 'a frame'),
      ],
    },
  ],
  question: {
    text: [
      'With 4 MiB, 6.18 swaps nothing. How much does 2.4.19 need for that?',
      'Find the *smallest* memory, in steps of 256 KiB, with which 2.4.19 writes nothing to swap.',
    ],
    stand: { program: TOUR, kernel: '2.4.19', memory: 4 * MIB, step: END },
    beside: 'time',
    by: 'memory',
    fields: [],
    hint: 'Add 256 KiB until the count of pages written to swap is 0. Then make sure that one step less is not enough.',
    solution: { says: '4.5 MiB: with 4.25 MiB it still swaps.', stand: { memory: 4.5 * MIB } },
  },
};
