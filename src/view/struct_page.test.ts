/** struct page of every kernel: its bytes, its bits, and neighbours that name each other. */
import { expect, test } from 'vitest';
import { snapshotOfMachine } from '../host/of_machine.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { frames } from './frames_colourings.ts';
import { PLACE } from './frames_legend.ts';
import { begin } from './open.ts';
import { type StructPageAnswer, structPage } from './struct_page.ts';
import { HostSubject, type MachineSubject } from './subject.ts';

/** A file that is mapped, anonymous memory that a child shares, and a copy. */
const TEXT = `%mmp 1
%title A file, private memory and a fork
%file data 16 disk cached
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100000000000, 32768)
1 store(0x100000100000, 32768, 1)
1 fork() = 2
2 store(0x100000100000, 8192, 2)
`;

function subjectOf(kernel: string): MachineSubject {
  const subject = begin(
    { kind: 'program', name: 'test', text: TEXT },
    { ...MACHINE_CHOICE, kernel, programRamBytes: 32 * 2 ** 20 },
  ) as MachineSubject;
  subject.timeline.seek(100);
  return subject;
}

const KERNELS = ['6.18', '6.1', '3.16', '2.6.26', '2.6.24', '2.5.59', '2.4.19', '2.4.18'] as const;
const BYTES = [64, 64, 56, 56, 56, 40, 44, 48];
const FIRST_FIELDS = {
  '6.18': 'flags lru mapping index private _mapcount _refcount memcg_data',
  '6.1': 'flags lru mapping index private _mapcount _refcount memcg_data',
  '3.16': 'flags mapping index _mapcount _count lru private',
  '2.6.26': 'flags _count _mapcount private mapping index lru',
  '2.6.24': 'flags _count _mapcount private mapping index lru',
  '2.5.59': 'flags count list mapping index lru pte private',
  '2.4.19': 'list mapping index next_hash count flags lru pprev_hash buffers',
  '2.4.18': 'list mapping index next_hash count flags lru pprev_hash buffers zone',
} as const;

const fieldOf = (page: StructPageAnswer, name: string) => page.fields.find((field) => field.name === name)!;

for (const [n, kernel] of KERNELS.entries()) {
  const subject = subjectOf(kernel);
  const { machine } = subject;
  const kinds = frames(subject, 'kind').categories;
  const pageOf = (pfn: number): StructPageAnswer => structPage(subject, pfn)!;
  const frameOf = (kind: number, mapcount: number): number =>
    kinds.findIndex((at, pfn) => at === kind && machine.frames.mapcount(pfn as never) === mapcount);

  test(`${kernel}: its fields lie side by side, and are as many bytes as it has`, () => {
    const { fields, bytes } = pageOf(0);
    expect(fields.map(({ name }) => name).join(' ')).toBe(FIRST_FIELDS[kernel]);
    let end = 0;
    for (const { offset, size } of fields) {
      expect(offset).toBe(end);
      end += size;
    }
    expect([end, bytes]).toEqual([BYTES[n], BYTES[n]]);
  });

  test(`${kernel}: bits make the word, and neighbours on a list name each other`, () => {
    const wrong: string[] = [];
    let met = 0;
    for (let pfn = 0; pfn < machine.frames.frames; pfn++) {
      const page = pageOf(pfn);
      const { raw, bits } = fieldOf(page, 'flags');
      const known = [...new Set(bits!.map(({ bit }) => bit))].reduce((word, bit) => word + 2 ** bit, 0);
      // 2.4 has the zone in the top eight bits of the word that it shows.
      if (known !== Number(raw) % 2 ** 24) wrong.push(`frame ${pfn}: ${raw}, bits ${known}`);
      for (const { label, pfn: other } of fieldOf(page, 'lru').links ?? []) {
        if (label === 'head') continue;
        met += 1;
        const back = label.startsWith('next') ? 'prev' : 'next';
        const links = fieldOf(pageOf(other), 'lru').links ?? [];
        if (!links.some((one) => one.label.startsWith(back) && one.pfn === pfn))
          wrong.push(`frame ${pfn}: ${label} ${other}`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(met).toBeGreaterThan(10);
  });

  test(`${kernel}: a page of the file says which, an anonymous one whom it belongs to, a free block how large it is`, () => {
    const file = pageOf(kinds.indexOf(PLACE.file_mapped));
    expect(fieldOf(file, 'mapping').value).toContain('data');
    expect(fieldOf(file, 'index').value).toMatch(/^page \d+ of the file/);
    const anon = pageOf(frameOf(PLACE.anon, 2));
    const mapping = fieldOf(anon, 'mapping');
    const count = anon.fields.find(({ name }) => /^_?(ref)?count$/.test(name))!;
    expect(Number(count.raw)).toBeGreaterThanOrEqual(2);
    expect(count.value).toContain('page-table entries 2');
    if (kernel.startsWith('2.4') || kernel === '2.5.59') expect(mapping.raw).toBe('NULL');
    else expect(mapping.raw).toMatch(/^&anon_vma \d+ \| 1$/);
    if (kernel === '2.5.59') expect(fieldOf(anon, 'pte').value).toContain('a chain with 2 entries');
    const free = pageOf(kinds.findLastIndex((at, pfn) => at === PLACE.free && machine.frames.onList(pfn as never)));
    expect(fieldOf(free, 'lru').value).toMatch(/^free_area\[\d+\]/);
  });
}

test('a host shows the words of its files, and no bytes', () => {
  const subject = subjectOf('6.18');
  const host = new HostSubject(snapshotOfMachine(subject.machine));
  const at = frames(subject, 'kind').categories.indexOf(PLACE.anon);
  const page = structPage(host, at)!;
  expect([page.arch, page.bytes]).toEqual([null, null]);
  expect(page.fields.map(({ name }) => name)).toEqual(['/proc/kpageflags', '/proc/kpagecount', '/proc/kpagecgroup']);
  expect(page.fields[0]!.bits!.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['uptodate', 'anon', 'swapbacked']),
  );
  expect(structPage(host, 10 ** 9)).toBeNull();
});

test('2.5.59: PG_direct is a bit of the word while one entry maps the page, and none of a chain', () => {
  const subject = subjectOf('2.5.59');
  const seen = new Set<string>();
  for (let n = 0; n < subject.machine.frames.frames; n++) {
    const page = structPage(subject, n)!;
    const direct = fieldOf(page, 'flags').bits!.some(({ bit, name }) => bit === 16 && name === 'PG_direct');
    expect([n, direct]).toEqual([n, fieldOf(page, 'pte').raw === 'direct']);
    seen.add(fieldOf(page, 'pte').raw);
  }
  expect([...seen].toSorted()).toEqual(['&pte_chain', 'NULL', 'direct']);
});
