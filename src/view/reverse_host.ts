/**
 * Who maps a frame of a host: entries, as /proc shows them. What lies between is the kernel's own and is told as such.
 */
import { processOfVma, vmaOfEntry } from '../host/reverse.ts';
import { NO_ROW } from '../host/snapshot.ts';
import { type Mapper, whoMapsFrame } from '../host/who/who.ts';
import { nameOf } from './reverse_frame.ts';
import {
  counted,
  type Formula,
  field,
  formulaText,
  GraphBuilder,
  hex,
  type ReverseAnswer,
  type Visit,
} from './reverse_graph.ts';
import type { HostSubject } from './subject.ts';

/** Rows of the picture, and of the list. */
const MOST_ROWS = 24;
const MOST_VISITS = 1000;

export function reverseOfHost(
  { snapshot, reverse }: HostSubject,
  pfn: number,
  pid: number | null,
  address: number | null,
): ReverseAnswer | null {
  const answer = whoMapsFrame(snapshot, reverse, pfn);
  if (answer === null) return null;
  const { identity, mapcount, flags, reclaim, list, cgroup, zone } = answer;
  const graph = new GraphBuilder();
  const frame = graph.add({
    kind: 'frame',
    column: 0,
    title: `frame ${pfn}`,
    lines: [`mapcount ${mapcount ?? 'not read'}`, reclaim === null ? 'flags not read' : reclaim.kind],
    fields: [
      field('frame', `${pfn} = ${hex(pfn)}`, zone === null ? 'its zone is not known' : `in zone ${zone}`),
      field(
        'kpageflags',
        flags === null ? 'not read' : flags.map(({ name }) => name).join(' ') || 'none',
        'what the kernel shows of its flags',
      ),
      field('kpagecount', mapcount ?? 'not read', 'page-table entries that map it, as the kernel counts them'),
      field('list', list ?? 'not known', 'the queue of reclaim on which it waits'),
      field('cgroup', cgroup ?? 'not known', 'who is charged for it'),
      ...(reclaim === null ? [] : [field('reclaim', reclaim.kind, reclaim.reason)]),
    ],
  });
  const hub = graph.add({
    kind: 'owner',
    column: 1,
    title: identity?.path == null ? (identity?.what ?? 'not known') : nameOf(identity.path),
    lines: [
      identity?.path == null ? 'its object is not shown' : `page ${(identity.offset ?? 0) / 4096}`,
      'candidates: not shown',
    ],
    fields: [
      field('object', identity?.what ?? 'not known', 'from the flags, and from the files that entries name'),
      field('mapping', 'unknown', 'user space does not see struct page: no pointer, no tag bit, no index'),
      field('candidates', 'unknown', 'which VMAs the kernel would look at in vain is not shown either'),
    ],
  });
  graph.link(frame, hub, 'mapping: not shown', true);
  const visits: Visit[] = [];
  let rows = 0;
  const left = { maps: 0, inVain: 0 };
  const drawn = answer.mappers.findIndex((one) => one.pid === pid && one.address === address);
  answer.mappers.forEach((mapper, number) => {
    if (number >= MOST_VISITS) {
      left.maps += 1;
      return;
    }
    const formula = formulaOf(mapper);
    const isRow = rows < MOST_ROWS || number === drawn;
    if (isRow) rows += 1;
    visits.push({
      number,
      path: isRow ? [frame, hub, ...addRow(graph, hub, mapper, formula)] : [],
      process: `${mapper.pid} ${mapper.comm}`,
      pid: mapper.pid,
      mm: mapper.sameMmAs ?? mapper.pid,
      start: mapper.start,
      end: mapper.end,
      region: `${mapper.perms} ${mapper.name === '' ? 'anonymous' : nameOf(mapper.name)}`,
      address: mapper.address,
      formula,
      formulaText: formulaText(formula),
      maps: true,
      why: '',
      bits: mapper.sameMmAs === null ? [] : [`the entry of process ${mapper.sameMmAs}: one address space`],
      behindTheEnd: false,
      entries: 1,
    });
  });
  const hidden = answer.mappers.length - rows;
  if (hidden > 0)
    graph.link(hub, graph.add({ kind: 'more', column: 2, title: `… ${counted(hidden, 'more VMA')} that map it` }));
  if (answer.mappers.length === 0) graph.link(hub, graph.add({ kind: 'nobody', column: 2, title: 'nobody maps it' }));
  const notes = [
    'A host shows its page tables, not its reverse map: the object, its links and the VMAs that are looked at in vain are unknown to user space.',
    ...answer.why.map(({ says, count }) => (count === null ? says : `${count}: ${says}`)),
  ];
  return {
    pfn,
    kernel: snapshot.kernel,
    scheme: 'Found from the other side: every page table that could be read was sorted by frame.',
    columns: ['frame', 'object', 'VMA', 'process', 'page-table entry'],
    nodes: graph.nodes,
    edges: graph.edges,
    visits,
    moreVisits: left,
    cost: null,
    mapcount,
    notes,
    lookups: [],
  };
}

/** With a file, the region itself says which page of the file stands where. */
function formulaOf({ start, offset, address }: Mapper): Formula {
  if (offset === null) return { kind: 'met', address };
  const index = offset / 4096;
  return { kind: 'linear', start, index, pgoff: index - (address - start) / 4096 };
}

function addRow(graph: GraphBuilder, hub: number, mapper: Mapper, formula: Formula): number[] {
  const { pid, comm, start, end, perms, name, address, offset } = mapper;
  const page = { pid, address };
  const region = name === '' ? 'anonymous' : nameOf(name);
  const vma = graph.add({
    kind: 'vma',
    column: 2,
    title: `VMA ${perms} ${region}`,
    lines: [`${hex(start)}‥${hex(end)}`],
    formula: formula.kind === 'linear' ? formulaText(formula) : null,
    page,
    fields: [
      field('maps', `${hex(start)}-${hex(end)} ${perms}`, name === '' ? 'anonymous memory' : name),
      field('offset', offset === null ? 'none' : hex(offset), 'of the page in the file, in bytes'),
    ],
  });
  const mm = graph.add({
    kind: 'mm',
    column: 3,
    title: `${pid} ${comm}`,
    lines: [`process ${pid}`],
    page,
    fields: [field('pid', pid, comm)],
  });
  const pte = graph.add({
    kind: 'pte',
    column: 4,
    title: `PTE of ${hex(address)}`,
    lines: ['✓ maps it'],
    page,
    fields: [field('pagemap', hex(address), 'the entry there has this frame; its bits are not shown')],
  });
  graph.link(hub, vma);
  graph.link(vma, mm);
  graph.link(mm, pte);
  return [vma, mm, pte];
}

/** For the list of frames worth a look: how many processes have the frame, and of what. */
export function describeHostFrame({ snapshot, reverse }: HostSubject, pfn: number): string {
  const rows = reverse.entriesOf(pfn);
  const first = rows[0];
  if (first === undefined) return 'mapped by nobody';
  const vma = vmaOfEntry(snapshot, first);
  const file = snapshot.vmas.file[vma]!;
  const what = file === NO_ROW ? 'anonymous memory' : nameOf(snapshot.files[file]!.path);
  const processes = new Set(Array.from(rows, (row) => processOfVma(snapshot, vmaOfEntry(snapshot, row))));
  return `${what}, ${counted(rows.length, 'entry', 'entries')} of ${counted(processes.size, 'process', 'processes')}`;
}
