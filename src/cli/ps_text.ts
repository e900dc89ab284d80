/**
 * What `revmap ps` prints for people: tables in kB that fit the line, sums that are the sums of what stands above them.
 *
 * Promises  1. 80 columns hold the main figures; wider lines get more columns, in the order of the lists below.
 *              Further columns without any number are left out.
 *           2. A sum is the sum of the numbers in its column as they are printed, `–` being none.
 *           3. Names from the host are fit for a terminal.
 */

import type { CgroupCost, CgroupsAnswer } from '../host/cost/cgroups.ts';
import { type ProcessCost, type PsAnswer, type PsTreeNode, type Sharing, sumOfKnown } from '../host/cost/ps.ts';
import { printable } from '../trace/error.ts';
import { grouped, plural, wrapped } from './output.ts';
import { pc } from './terminal.ts';

/** A figure of a row, in bytes; null is not known. */
type Figure<T> = (row: T) => number | null;

interface Column<T> {
  readonly head: string;
  readonly figure: Figure<T>;
  /** Pids are no bytes. */
  readonly isPlain?: boolean;
  /** Its numbers add up to nothing that means something. */
  readonly hasNoSum?: boolean;
}

const kb = (bytes: number | null) => (bytes === null ? null : Math.floor(bytes / 1024));
const shown = (n: number | null) => (n === null ? '–' : grouped(n));

export const freedBytes: Figure<ProcessCost | PsTreeNode | CgroupCost> = ({ exit }) =>
  exit === null ? null : exit.freed_bytes + exit.freed_unmapped_bytes + exit.freed_with_file_bytes;
export const staysBytes: Figure<ProcessCost> = ({ exit }) =>
  exit === null ? null : exit.becomes_shmem_bytes + exit.stays_shared_bytes;

const PROCESS_COLUMNS: readonly Column<ProcessCost>[] = [
  { head: 'rss', figure: (row) => row.rss_bytes },
  { head: 'pss', figure: (row) => row.pss_bytes },
  { head: 'uss', figure: (row) => row.uss_bytes },
  { head: 'swap', figure: (row) => row.swap_bytes },
  { head: 'freed', figure: freedBytes },
  { head: 'cache', figure: (row) => row.exit?.becomes_cache_bytes ?? null },
  { head: 'stays', figure: staysBytes },
  { head: 'ref', figure: (row) => row.referenced_bytes },
  { head: 'most', figure: (row) => row.shares_most_with?.bytes ?? null, hasNoSum: true },
  { head: 'with', figure: (row) => row.shares_most_with?.pid ?? null, isPlain: true, hasNoSum: true },
  { head: 'uid', figure: (row) => row.uid, isPlain: true, hasNoSum: true },
  { head: 'swap pss', figure: (row) => row.swap_pss_bytes },
  { head: 'shm swap', figure: (row) => row.shared_swap_bytes },
];
const PROCESS_FIRST = 5;

const TREE_COLUMNS: readonly Column<TreeLine>[] = [
  { head: 'tree pss', figure: ({ node }) => node.sum_pss_bytes },
  { head: 'tree uss', figure: ({ node }) => node.unique_bytes },
  { head: 'freed', figure: ({ node }) => freedBytes(node) },
  { head: 'pss', figure: ({ row }) => row.pss_bytes },
  { head: 'tree rss', figure: ({ node }) => node.rss_bytes },
  { head: 'tree swap', figure: ({ node }) => node.swap_bytes },
  { head: 'rss', figure: ({ row }) => row.rss_bytes },
  { head: 'uss', figure: ({ row }) => row.uss_bytes },
];
const TREE_FIRST = 3;

const CGROUP_COLUMNS: readonly Column<CgroupCost>[] = [
  { head: 'pss', figure: (row) => row.sum_pss_bytes },
  { head: 'rss', figure: (row) => row.rss_bytes },
  { head: 'uss', figure: (row) => row.unique_bytes },
  { head: 'swap', figure: (row) => row.swap_bytes },
  { head: 'charged', figure: (row) => row.charged_own_bytes },
  { head: 'cache', figure: (row) => row.charged?.cache_unmapped_bytes ?? null },
  { head: 'limit', figure: (row) => row.limit_bytes, hasNoSum: true },
  { head: 'anon', figure: (row) => row.charged?.anonymous_bytes ?? null },
  { head: 'file', figure: (row) => row.charged?.file_mapped_bytes ?? null },
  { head: 'kernel', figure: (row) => row.charged?.kernel_bytes ?? null },
  { head: 'rest', figure: (row) => row.charged?.rest_bytes ?? null },
  { head: 'elsewhere', figure: (row) => row.mapped_charged_elsewhere_bytes },
];
const CGROUP_FIRST = 6;

const NAME_MIN = 16;
const TREE_NAME_MIN = 34;
const GAP = 2;

interface Shape<T> {
  readonly first: Column<T>;
  readonly columns: readonly Column<T>[];
  /** So many are there however narrow the line is. */
  readonly always: number;
  readonly nameHead: string;
  readonly name: (row: T) => string;
  readonly nameMin?: number;
  /** Where a name is too long: `end` by default. */
  readonly cutAt?: 'start' | 'end';
  /** Rows whose figures are another row's. */
  readonly isRepeated?: (row: T) => boolean;
}

/** Rows, and a line of sums if `sums`. */
function drawn<T>(rows: readonly T[], shape: Shape<T>, width: number, sums: boolean): string[] {
  const { first, columns, always, nameHead, name, nameMin = NAME_MIN, cutAt = 'end', isRepeated = () => false } = shape;
  const said = columns.filter((column, i) => i < always || rows.some((row) => (column.figure(row) ?? 0) !== 0));
  const cells = said.map((column) => {
    const numbers = rows.map((row) => (isRepeated(row) ? null : number(column, row)));
    const sum = column.hasNoSum ? '' : shown(sumOfKnown(numbers));
    const texts = column.isPlain ? numbers.map((n) => (n === null ? '–' : String(n))) : numbers.map(shown);
    return { head: column.head, texts, sum };
  });
  const keys = rows.map((row) => String(first.figure(row) ?? ''));
  const wide = cells.map(({ head, texts, sum }) => Math.max(head.length, sum.length, ...texts.map((t) => t.length)));
  const keyWide = Math.max(first.head.length, 'sum'.length, ...keys.map((key) => key.length));
  let used = keyWide;
  let count = 0;
  while (count < cells.length) {
    const next = used + GAP + wide[count]!;
    if (count >= always && next + GAP + nameMin > width) break;
    used = next;
    count += 1;
  }
  const room = Math.max(NAME_MIN, width - used - GAP);
  const line = (key: string, texts: readonly string[], last: string) =>
    [key.padStart(keyWide), ...texts.slice(0, count).map((text, i) => text.padStart(wide[i]!)), cut(last, room, cutAt)]
      .join(' '.repeat(GAP))
      .trimEnd();
  const lines = [
    pc.bold(
      line(
        first.head,
        cells.map(({ head }) => head),
        nameHead,
      ),
    ),
  ];
  rows.forEach((row, i) => {
    lines.push(
      line(
        keys[i]!,
        cells.map(({ texts }) => texts[i]!),
        name(row),
      ),
    );
  });
  if (sums)
    lines.push(
      pc.bold(
        line(
          'sum',
          cells.map(({ sum }) => sum),
          '',
        ),
      ),
    );
  return lines;
}

function number<T>({ figure, isPlain }: Column<T>, row: T): number | null {
  return isPlain ? figure(row) : kb(figure(row));
}

function cut(text: string, room: number, at: 'start' | 'end'): string {
  const characters = [...text];
  const over = characters.length - room;
  if (over <= 0) return text;
  return at === 'end' ? `${characters.slice(0, room - 1).join('')}…` : `…${characters.slice(over + 1).join('')}`;
}

export function nameOf({ comm, command }: ProcessCost): string {
  return printable(command === null || command.length === 0 ? comm : command.join(' '));
}

/** `rows` of the answer, sorted, and how many there are below them. */
export function describeProcesses(answer: PsAnswer, rows: readonly ProcessCost[], width: number): string {
  const left = answer.processes.length - rows.length;
  const lines = drawn(
    rows,
    {
      first: { head: 'pid', figure: (row) => row.pid },
      columns: PROCESS_COLUMNS,
      always: PROCESS_FIRST,
      nameHead: 'command',
      name: (row) =>
        row.same_memory_as_pid === null ? nameOf(row) : `(memory of ${row.same_memory_as_pid}) ${nameOf(row)}`,
      isRepeated: (row) => row.same_memory_as_pid !== null,
    },
    width,
    true,
  );
  if (left > 0) lines.push(`and ${plural(left, 'more process', 'more processes')}`);
  lines.push('', ...totalLines(answer).map((line) => wrapped(line, width)));
  return lines.join('\n');
}

function totalLines(answer: PsAnswer): string[] {
  const { total } = answer;
  const lines: string[] = [];
  const of = plural(total.processes, 'process', 'processes');
  if (total.mapped_bytes !== null) {
    const others = total.mapped_by_others_too_bytes ?? 0;
    lines.push(
      `${of}: they map ${size(total.mapped_bytes)} kB, each page once. RSS adds up to ${size(total.sum_rss_bytes)} kB, ` +
        `PSS to ${size(total.sum_pss_bytes)} kB${others > 0 ? `; others map ${size(others)} kB of it too` : ''}.`,
    );
  } else lines.push(`${of}: RSS adds up to ${size(total.sum_rss_bytes)} kB, with what they share counted again.`);
  lines.push(...swapLines(answer));
  const differ = answer.processes.filter((row) => row.differs.length > 0);
  if (differ.length > 0) {
    const pids = differ.slice(0, 8).map((row) => row.pid);
    lines.push(
      `smaps_rollup, read a moment before, says otherwise of ${plural(differ.length, 'process', 'processes')} ` +
        `(they or who shares with them moved): ${pids.join(', ')}${differ.length > pids.length ? ', …' : ''}.`,
    );
  }
  const without = [
    ...(answer.kernel_threads > 0 ? [plural(answer.kernel_threads, 'kernel thread')] : []),
    ...(answer.zombies > 0 ? [plural(answer.zombies, 'zombie')] : []),
  ];
  if (without.length > 0) lines.push(`Not shown, without memory of their own: ${without.join(', ')}.`);
  if (total.not_seen > 0) {
    lines.push(`– is not known: the pages of ${plural(total.not_seen, 'process', 'processes')} could not be read.`);
  }
  return lines;
}

function size(bytes: number): string {
  return grouped(Math.floor(bytes / 1024));
}

function swapLines({ swap }: PsAnswer): string[] {
  const { used_bytes: used, held_bytes: held, shared_bytes: shared, rest_bytes: rest } = swap;
  if (used === null || used === 0) return [];
  const parts = [
    ...(held === null ? [] : [`${size(held)} kB in page tables, each slot once`]),
    ...(shared === null
      ? []
      : [`${shared[0] === shared[1] ? '' : `${size(shared[0])} to `}${size(shared[1])} kB of shared memory`]),
    ...(rest === null ? [] : [`${shared?.[0] === shared?.[1] ? '' : 'at least '}${size(rest)} kB of neither`]),
  ];
  return [`Swap: ${size(used)} kB used${parts.length === 0 ? '' : `: ${parts.join(', ')}`}.`];
}

interface TreeLine {
  readonly node: PsTreeNode;
  readonly row: ProcessCost;
  readonly before: string;
}

export function describeTree(
  answer: PsAnswer,
  tree: readonly PsTreeNode[],
  rows: ReadonlyMap<number, ProcessCost>,
  width: number,
): string {
  const lines: TreeLine[] = [];
  const add = (nodes: readonly PsTreeNode[], indent: string): void => {
    nodes.forEach((node, i) => {
      const isLast = i === nodes.length - 1;
      const isRoot = indent === '' && tree.includes(node);
      lines.push({ node, row: rows.get(node.pid)!, before: isRoot ? '' : `${indent}${isLast ? '└' : '├'}` });
      add(node.children, isRoot ? ' ' : `${indent}${isLast ? ' ' : '│'}`);
    });
  };
  add(tree, '');
  const table = drawn(
    lines,
    {
      first: { head: 'pid', figure: ({ node }) => node.pid },
      columns: TREE_COLUMNS,
      always: TREE_FIRST,
      nameMin: TREE_NAME_MIN,
      nameHead: 'command',
      name: ({ row, node, before }) =>
        `${before}${nameOf(row)}${node.not_seen > 0 ? ` (${node.not_seen} not seen)` : ''}`,
    },
    width,
    false,
  );
  const note = 'tree: the process and all below it, each page once; uss: what nobody outside of it maps.';
  return [...table, '', wrapped(note, width), ...totalLines(answer).map((line) => wrapped(line, width))].join('\n');
}

export function describeCgroups(answer: CgroupsAnswer, rows: readonly CgroupCost[], width: number): string {
  const left = answer.cgroups.length - rows.length;
  const lines = drawn(
    rows,
    {
      first: { head: 'procs', figure: (row) => row.processes },
      columns: CGROUP_COLUMNS,
      always: CGROUP_FIRST,
      nameHead: 'cgroup',
      cutAt: 'start',
      name: cgroupText,
    },
    width,
    true,
  );
  if (left > 0) lines.push(`and ${plural(left, 'more cgroup')}`);
  const { total } = answer;
  const between = total.between_cgroups_bytes;
  lines.push('');
  if (between !== null && between > 0) {
    lines.push(
      wrapped(
        `${size(between)} kB are mapped by processes of several cgroups: in no row's uss, and in the rss of each.`,
        width,
      ),
    );
  }
  lines.push(
    wrapped(
      'charged: what the kernel counts for the cgroup without those below it: pages of the anon and file columns, cache ' +
        'that nobody maps, kernel pages, and a rest (slab, sockets, per-CPU memory) that has no pages of its own.',
      width,
    ),
  );
  return lines.join('\n');
}

export function cgroupText({ kind, name, pod, path, not_seen }: CgroupCost): string {
  const of = kind === 'cgroup' ? path || '(none)' : kind === 'unit' ? name : `${kind} ${name}`;
  const inPod = pod === null || kind === 'pod' ? '' : ` in pod ${pod}`;
  return `${printable(of)}${printable(inPod)}${not_seen > 0 ? ` (${not_seen} not seen)` : ''}`;
}

/** One process, all figures, each with what it means. */
export function describeProcess(row: ProcessCost, sharers: readonly Sharing[], width: number): string {
  const { exit, kernel } = row;
  const lines = [
    `${pc.bold(`${row.pid} ${nameOf(row)}`)}  parent ${row.parent_pid}, uid ${row.uid}, ${plural(row.threads, 'thread')}, state ${row.state}`,
    `  cgroup ${printable(row.cgroup) || '(none)'}`,
  ];
  if (row.same_memory_as_pid !== null)
    lines.push(`  It uses the memory of ${row.same_memory_as_pid} (vfork or CLONE_VM).`);
  const figure = (bytes: number | null, name: string, means: string) => {
    lines.push(`${shown(kb(bytes)).padStart(14)} kB  ${name.padEnd(12)} ${means}`);
  };
  figure(row.rss_bytes, 'rss', 'mapped, each entry of its page table counted');
  figure(row.pss_bytes, 'pss', 'its share: a page that n entries map is one n-th');
  figure(row.pss_anonymous_bytes, '  anonymous', '');
  figure(row.pss_file_bytes, '  file', '');
  figure(row.pss_shmem_bytes, '  shmem', '');
  figure(row.uss_bytes, 'uss', 'pages that only it maps');
  figure(row.referenced_bytes, 'referenced', 'touched since reclaim last looked (smaps_rollup)');
  if (row.hugetlb_bytes !== 0) figure(row.hugetlb_bytes, 'hugetlb', 'from the pool of huge pages, not in rss');
  figure(row.swap_bytes, 'swap', 'slots that its page table holds');
  figure(row.swap_pss_bytes, '  its share', '');
  if (row.shared_swap_bytes !== 0)
    figure(row.shared_swap_bytes, '  shared', 'swapped pages of shared memory in its areas, not in swap');
  if (exit !== null) {
    lines.push('If it exited now:');
    figure(exit.freed_bytes, 'freed', 'anonymous memory that only it maps');
    if (exit.freed_unmapped_bytes > 0)
      figure(exit.freed_unmapped_bytes, 'freed', 'parts of its huge pages that nobody maps any more');
    if (exit.freed_with_file_bytes > 0)
      figure(exit.freed_with_file_bytes, 'freed', 'deleted files and memfds, unless a descriptor elsewhere holds them');
    figure(exit.freed_page_tables_bytes, 'freed', 'its page tables');
    figure(exit.freed_swap_bytes, 'freed swap', 'slots that only it holds');
    figure(exit.becomes_cache_bytes, 'cache', 'pages of files that only it maps: reclaim may drop them');
    if (exit.becomes_shmem_bytes > 0)
      figure(exit.becomes_shmem_bytes, 'stays', 'tmpfs and shared memory that has a name or other holders');
    figure(exit.stays_shared_bytes, 'stays', 'mapped by others too');
  }
  if (sharers.length > 0) {
    lines.push('It shares most with:');
    for (const { pid, comm, bytes } of sharers) figure(bytes, String(pid), printable(comm));
  }
  if (kernel === null) lines.push(wrapped('smaps_rollup could not be read.', width));
  else if (row.differs.length > 0) lines.push(...row.differs.map((text) => `It moved while it was read: ${text}.`));
  else if (row.source === 'pages') lines.push('rss, pss and uss equal smaps_rollup to the kB.');
  return lines.join('\n');
}
