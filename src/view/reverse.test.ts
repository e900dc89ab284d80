/** Who maps a frame, as a picture: against the page tables, entry by entry, in every kernel. */
import { describe, expect, test } from 'vitest';
import { RandomProgram } from '../../test/random_machine.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { isKsmPage } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { PTE_SPECIAL } from '../mm/page_table.ts';
import { addrOf, NO_VPN, type Pfn, type Vpn, vpnOf } from '../mm/units.ts';
import { frameAt } from '../mm/who.ts';
import { KERNELS, MACHINE_CHOICE } from './choice.ts';
import { begin, open } from './open.ts';
import { queryNamed } from './queries.ts';
import { reverseOfMachine } from './reverse.ts';
import { swapSlot } from './reverse_frame.ts';
import { addressBy, type ReverseAnswer } from './reverse_graph.ts';
import { wayOf } from './reverse_groups.ts';
import { structPage } from './struct_page.ts';
import { HostSubject, type MachineSubject } from './subject.ts';

const utf8 = new TextEncoder();

async function machineAt(text: string, kernel: string, step = Number.POSITIVE_INFINITY): Promise<MachineSubject> {
  const subject = begin(await open({ name: 'p.mmp', bytes: utf8.encode(text) }), { ...MACHINE_CHOICE, kernel });
  if (subject.kind !== 'machine') throw new Error('a program is run on a machine');
  subject.timeline.seek(step);
  return subject;
}

/** mm and address of every entry that maps a frame, by frame; entries of the pages of zeros are not counted by any kernel. */
function entriesByFrame({ mms, pageTables }: Machine): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const mm of mms) {
    for (const { vmStart, vmEnd } of mm.vmas) {
      let at = pageTables.nextTable(mm.pageTables, vmStart, vmEnd);
      while (at < vmEnd) {
        const slot = pageTables.slotOf(mm.pageTables, at);
        if (pageTables.isPresent(slot) && !pageTables.has(slot, PTE_SPECIAL)) {
          const pfn = pageTables.pfn(slot);
          const known = found.get(pfn) ?? [];
          known.push(`${mm.id}:${addrOf(at)}`);
          found.set(pfn, known);
        }
        at = pageTables.nextTable(mm.pageTables, (at + 1) as Vpn, vmEnd);
      }
    }
  }
  return found;
}

/** What is wrong with the answer for a frame. */
function faults(machine: Machine, answer: ReverseAnswer, entries: readonly string[]): string[] {
  const wrong: string[] = [];
  const mappers = answer.visits.filter(({ maps }) => maps).map(({ mm, address }) => `${mm}:${address}`);
  const missed = entries.filter((entry) => !mappers.includes(entry));
  // A fork of a merged page may be unknown to every item until ksmd has come by; the answer says so.
  const isKnown =
    isKsmPage(machine, answer.pfn as Pfn) && answer.notes.some((note) => note.includes('ksmd has come by'));
  if (mappers.length + missed.length !== entries.length || (missed.length > 0 && !isKnown))
    wrong.push(`maps ${mappers}, the tables say ${entries}`);
  for (const { number, maps, why, formula, address, start, end, path, behindTheEnd } of answer.visits) {
    if (maps !== (why === '')) wrong.push(`visit ${number}: ${maps ? 'maps' : 'in vain'}, because '${why}'`);
    if (maps && behindTheEnd) wrong.push(`visit ${number} maps the page and is behind the end`);
    const result = addressBy(formula);
    if (address !== null && result !== address) wrong.push(`visit ${number}: formula ${result}, address ${address}`);
    if (address === null && result !== null && result >= start && result < end)
      wrong.push(`visit ${number} has a place`);
    if (path.length > 0 && path[0] !== 0) wrong.push(`visit ${number} does not begin at the frame`);
    for (const [at, node] of path.entries()) {
      const from = path[at - 1];
      if (from !== undefined && !answer.edges.some((edge) => edge.from === from && edge.to === node))
        wrong.push(`visit ${number}: no edge ${from} → ${node}`);
    }
  }
  const walked: string[] = [];
  if (answer.mapcount! > 0)
    machine.rmap.walk(answer.pfn as Pfn, (vma, vpn) => walked.push(`${vma.vmMm.id}:${vpn}`) > 0);
  const mine = wayOf(machine, answer.pfn as Pfn)
    .groups.flatMap(({ candidates }) => candidates)
    .flatMap(({ vma, met }) => met.map(({ vpn }) => `${vma.vmMm.id}:${vpn}`));
  const isLook = machine.rmap.walksAll === true ? mine.filter((one) => !one.endsWith(`:${NO_VPN}`)) : mine;
  if (answer.mapcount! > 0 && walked.join() !== isLook.join()) wrong.push(`walk ${walked}, here ${isLook}`);
  return wrong;
}

/** What random programs must have brought about, or the promises below were held by nothing. */
const MET: readonly (readonly [version: string, kinds: string[]])[] = [
  ['6.', ['parent', 'passed', 'left-out', 'linear']],
  ['3.', ['passed', 'left-out', 'linear', 'item', 'none']],
  ['2.6', ['passed', 'left-out', 'linear', 'met', 'none']],
  ['2.5', ['table']],
  ['2.4', ['met', 'more']],
];

describe.each(KERNELS.map(({ version }) => version))('Linux %s', (kernel) => {
  test('random programs: mappers are those of the page tables, each visit has an outcome, and nothing changes', () => {
    let inVain = 0;
    const met = new Set<string>();
    for (let seed = 1; seed <= 3; seed++) {
      const program = new RandomProgram(seed, kernel);
      const { machine } = program;
      for (let step = 1; step <= 160; step++) {
        program.step();
        if (step % 80 !== 0) continue;
        const before = machine.stateHash();
        const work = JSON.stringify(machine.work);
        const entries = entriesByFrame(machine);
        for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
          if (pfn % 32 !== 0 && !entries.has(pfn)) continue;
          const answer = reverseOfMachine({ machine, living: [] }, pfn as Pfn, null, null);
          inVain += answer.visits.filter(({ maps }) => !maps).length;
          for (const { kind } of answer.nodes) met.add(kind);
          for (const { formula } of answer.visits) met.add(formula.kind);
          Object.assign(machine.work, JSON.parse(work));
          const said = faults(machine, answer, entries.get(pfn) ?? []);
          Object.assign(machine.work, JSON.parse(work));
          expect(said, `seed ${seed}, step ${step}, frame ${pfn}`).toEqual([]);
        }
        expect(machine.stateHash(), `seed ${seed}, step ${step}`).toBe(before);
      }
    }
    expect([...met]).toEqual(expect.arrayContaining(MET.find(([version]) => kernel.startsWith(version))![1]));
    // 2.5 meets nothing in vain; all others must have been asked about something that they do.
    if (kernel === '2.5.59') expect(inVain).toBe(0);
    else expect(inVain).toBeGreaterThan(20);
  });
});

const FORK = `%mmp 1
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 1)
1 fork() = 2
2 store(0x100000000000, 8192, 2)
`;
const PAGE = 0x100000000000;

function ask(subject: MachineSubject, pid: number, address: number): ReverseAnswer {
  const { mm } = subject.living.find((one) => one.pid === pid)!;
  const pfn = frameAt(subject.machine, mm, vpnOf(address))!;
  return queryNamed.reverse(subject, pfn, null, null)!;
}

const told = ({ visits }: ReverseAnswer): string[] =>
  visits.map(
    ({ process, maps, why, behindTheEnd }) =>
      `${process}: ${maps ? 'maps' : why}${behindTheEnd ? ', behind the end' : ''}`,
  );

describe('a page from before a fork, of which the child has made a copy', () => {
  for (const { kernel, ofParent, ofChild, links } of [
    {
      kernel: '2.6.24',
      ofParent: ['process 1: maps', 'process 2: maps frame', 'behind'],
      ofChild: ['process 1: maps frame', 'process 2: maps'],
      links: 0,
    },
    {
      kernel: '3.16',
      ofParent: ['process 1: maps', 'process 2: maps frame', 'behind'],
      ofChild: ['process 2: maps'],
      links: 1,
    },
    {
      kernel: '6.18',
      ofParent: ['process 1: maps', 'process 2: maps frame', 'behind'],
      ofChild: ['process 2: maps'],
      links: 1,
    },
    { kernel: '2.5.59', ofParent: ['process 1: maps'], ofChild: ['process 2: maps'], links: 1 },
  ]) {
    test(`Linux ${kernel}`, async () => {
      const subject = await machineAt(FORK, kernel);
      const parent = told(ask(subject, 1, PAGE));
      const child = ask(subject, 2, PAGE);
      expect(parent.length).toBe(ofParent.filter((one) => one !== 'behind').length);
      for (const [at, one] of ofParent.entries()) expect(parent[Math.min(at, parent.length - 1)]).toContain(one);
      expect(told(child).length).toBe(ofChild.length);
      for (const [at, one] of ofChild.entries()) expect(told(child)[at]).toContain(one);
      expect(child.cost).toMatchObject({ links, found: 1, vmas: ofChild.length, inVain: ofChild.length - 1 });
    });
  }

  test('Linux 2.4 looks through every entry of every address space, and nothing tells it to stop', async () => {
    const subject = await machineAt(FORK, '2.4.19');
    const { cost, visits, scheme } = ask(subject, 2, PAGE);
    const { searched } = subject.machine.whoMaps(frameAt(subject.machine, subject.living[1]!.mm, vpnOf(PAGE))!);
    expect(cost).toMatchObject({ mms: searched!.mms, vmas: searched!.vmas, entries: searched!.ptes, found: 1 });
    expect(visits.some(({ behindTheEnd }) => behindTheEnd)).toBe(false);
    expect(scheme).toContain('no reverse map');
  });
});

test('sixty children: what is left out of the picture is counted, and the chosen page is in it', async () => {
  const forks = Array.from({ length: 60 }, (_, n) => `1 fork() = ${n + 3}`).join('\n');
  const subject = await machineAt(`${FORK}${forks}\n`, '2.6.24');
  const pfn = frameAt(subject.machine, subject.living[0]!.mm, vpnOf(PAGE + 8192))!;
  const answer = queryNamed.reverse(subject, pfn, 62, PAGE + 8192)!;
  expect(answer.mapcount).toBe(62);
  expect(answer.visits.length + answer.moreVisits.maps + answer.moreVisits.inVain).toBe(62);
  expect(answer.nodes.length).toBeLessThan(160);
  expect(answer.nodes.find(({ page }) => page?.pid === 62)?.kind).toBe('vma');
  const hidden = answer.nodes.filter(({ kind }) => kind === 'more').map(({ title }) => title);
  expect(hidden).toEqual(['… 38 more VMAs: 38 map it']);
});

test('the tag bit and the page cache are told; who has no mapper says why', async () => {
  const subject = await machineAt(
    `%mmp 1
%file data 100 disk cached
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 40960, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 266240)
1 mmap(0x100000100000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100000005000, 4096)
1 store(0x100000100000, 4096, 1)
`,
    '6.18',
  );
  const anon = ask(subject, 1, 0x100000100000);
  expect(anon.nodes[0]!.tag).toMatchObject({ bits: '01' });
  expect(anon.nodes[0]!.tag!.pointer).toMatch(/^anon_vma \d+$/);
  const file = ask(subject, 1, 0x100000005000);
  expect(file.nodes[0]!.tag).toMatchObject({ bits: '00' });
  expect(file.lookups[0]!.steps).toEqual([
    'xarray i_pages: node of shift 6, slot 1 (2 of 64 in use)',
    `node of shift 0, slot 6 (36 of 64 in use) → frame ${file.pfn}`,
  ]);
  expect(file.visits[0]!.formulaText).toBe('0x100000000000 + ((0x46 − 0x41) << 12) = 0x100000005000');
  const frames = queryNamed.interesting(subject);
  for (const [title, why] of [
    ['A free frame', 'free'],
    ['The shared page of zeros', 'page of zeros'],
    ['A page table', 'page table'],
    ['A page of slab', 'Slab'],
    ['A page of a file that nobody maps', 'mapcount is 0'],
  ] as const) {
    const { pfn } = frames.find((one) => one.title === title)!;
    const answer = queryNamed.reverse(subject, pfn, null, null)!;
    expect(answer.notes[0], title).toContain(why);
    expect(answer.visits.filter(({ maps, behindTheEnd }) => maps || !behindTheEnd)).toEqual([]);
  }
  expect(queryNamed.reverse(subject, 2 ** 30, null, null)).toBeNull();
});

test('a page that one process has back from swap: its slot is shown, and the other candidate waits with it', async () => {
  for (const kernel of ['6.18', '3.16', '2.6.24']) {
    const subject = await machineAt(
      `%mmp 1
%swap 64
1 mmap(0x100000000000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 4096, 1)
1 madvise(0x100000000000, 4096, MADV_PAGEOUT)
1 fork() = 2
1 load(0x100000000000, 4096)
`,
      kernel,
    );
    const answer = ask(subject, 1, PAGE);
    // Only kernels that know the advice have swapped it out.
    const swaps = subject.machine.generation.knownAdvice.has(21);
    expect(told(answer)[1], kernel).toContain(swaps ? 'process 2: swapped out' : 'process 2: maps');
    const slot = answer.nodes.find(({ kind }) => kind === 'slot');
    expect(slot?.lines[1], kernel).toBe(swaps ? 'swap_map 1 | SWAP_HAS_CACHE' : undefined);
    expect(answer.lookups.length, kernel).toBe(swaps ? 1 : 0);
  }
});

test.each([
  { kernel: '6.18', mapping: /^&anon_vma/, slotIn: 'private', swapMap: '0 | SWAP_HAS_CACHE' },
  { kernel: '3.16', mapping: /^&anon_vma/, slotIn: 'private', swapMap: '0 | SWAP_HAS_CACHE' },
  { kernel: '2.6.24', mapping: /^&anon_vma/, slotIn: 'private', swapMap: '1' },
  { kernel: '2.5.59', mapping: /^&swapper_space$/, slotIn: 'index', swapMap: '1' },
  { kernel: '2.4.19', mapping: /^&swapper_space$/, slotIn: 'index', swapMap: '1' },
])(
  '$kernel: every view says of a page in the swap cache what that kernel has',
  ({ kernel, mapping, slotIn, swapMap }) => {
    const text = `%mmp 1
%swap 2048
1 mmap(0x100000000000, 1200*4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 1200*4096, 1)
1 load(0x100000000000, 4096)
`;
    const choice = { ...MACHINE_CHOICE, kernel, programRamBytes: 4 * 2 ** 20 };
    const subject = begin({ kind: 'program', name: 'p.mmp', text }, choice) as MachineSubject;
    subject.timeline.seek(Number.POSITIVE_INFINITY);
    const answer = ask(subject, 1, PAGE);
    const page = structPage(subject, answer.pfn)!;
    const rawOf = (name: string): string => page.fields.find((one) => one.name === name)!.raw;
    const said = Object.fromEntries(answer.nodes[0]!.fields.map(({ name, value }) => [name, value]));
    expect(rawOf('mapping')).toMatch(mapping);
    const { entry } = swapSlot(subject.machine, answer.pfn as Pfn);
    expect(Number(rawOf(slotIn))).toBe(entry);
    expect(Number(said['index']) === entry).toBe(slotIn === 'index');
    const words = page.fields.flatMap(({ bits = [] }) => bits.map(({ name }) => name.replace('PG_', '')));
    expect(said['flags']?.split(' ')).toEqual(words);
    expect(queryNamed.chosen(subject, { by: 'frame', pfn: answer.pfn, pid: null, address: null }).frame?.flags).toEqual(
      words,
    );
    expect(Object.keys(said).includes('cgroup')).toBe(subject.machine.generation.cgroups);
    const charged = page.fields.find(({ name }) => name === 'memcg_data')?.value;
    if (charged !== undefined) expect(charged).toBe(`charged to ${said['cgroup']}`);
    expect(answer.nodes.find(({ kind }) => kind === 'slot')?.lines[1]).toBe(`swap_map ${swapMap}`);
  },
);

test('a part of a huge page: the folio is told, and the walk is that of the one page', async () => {
  const subject = await machineAt(
    `%mmp 1
1 mmap(0x100000000000, 2097152, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 madvise(0x100000000000, 2097152, MADV_HUGEPAGE)
1 store(0x100000000000, 4096, 1)
1 fork() = 2
`,
    '6.18',
  );
  const answer = ask(subject, 2, PAGE + 5 * 4096);
  expect(answer.nodes[0]!.lines).toContain('folio of 512 pages');
  expect(answer.notes[0]).toContain(`large folio that begins at frame ${answer.pfn - 5}`);
  expect(answer.visits.map(({ maps, bits }) => [maps, bits.at(-1)])).toEqual([
    [true, 'huge'],
    [true, 'huge'],
  ]);
});

test('a host shows entries and processes, and says that the rest is unknown', async () => {
  const subject = await machineAt(FORK, '6.18');
  const host = new HostSubject(snapshotOfMachine(subject.machine));
  const [first] = queryNamed.interesting(host);
  const answer = queryNamed.reverse(host, first!.pfn, null, null)!;
  expect(first!.title).toBe('The most shared anonymous page');
  expect(answer.visits.map(({ maps, address }) => [maps, address])).toEqual([
    [true, PAGE + 8192],
    [true, PAGE + 8192],
  ]);
  expect(answer.cost).toBeNull();
  expect(answer.notes[0]).toContain('unknown to user space');
});
