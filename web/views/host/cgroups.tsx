/** What cgroups' processes cost, and what the kernel charges them for. */
import type { CgroupCost } from '../../../src/host/cost/cgroups.ts';
import type { Engine } from '../../app/engine.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { type Column, SortTable } from './sort_table.tsx';
import { bytesText, printable } from './words.ts';

const figure = (head: string, says: string, of: (row: CgroupCost) => number | null): Column<CgroupCost> => ({
  head,
  says,
  by: of,
  shown: (row) => bytesText(of(row)),
});

const COLUMNS: readonly Column<CgroupCost>[] = [
  {
    head: 'cgroup',
    says: 'its path, and the container or unit it is',
    by: (row) => printable(row.path),
    shown: (row) => (
      <span title={printable(row.path)}>
        {row.kind === 'cgroup' ? printable(row.path) || 'none' : `${row.kind} ${printable(row.name)}`}
      </span>
    ),
  },
  { head: 'processes', says: 'processes in it', by: (row) => row.processes },
  figure('PSS', 'sum of the shares of its processes', (row) => row.sum_pss_bytes),
  figure('USS', 'mapped by its processes alone', (row) => row.unique_bytes),
  figure('charged', 'what the kernel charges it for, without those below it', (row) => row.charged_own_bytes),
  figure('anonymous', 'of that: anonymous', (row) => row.charged?.anonymous_bytes ?? null),
  figure('cache', 'of that: cache that nobody maps', (row) => row.charged?.cache_unmapped_bytes ?? null),
  figure(
    'kernel',
    'of that: page tables, stacks and other whole pages of the kernel',
    (row) => row.charged?.kernel_bytes ?? null,
  ),
  figure('limit', 'memory.max', (row) => row.limit_bytes),
  figure('swap', 'slots that its processes hold', (row) => row.swap_bytes),
];

export function Cgroups({ engine }: { engine: Engine }) {
  const answer = useAnswer(engine, 'hostCgroups').value;
  if (answer === null) return <p class="empty">Counting …</p>;
  if (answer.cgroups.length === 0) return <p class="empty">No memory cgroup was seen.</p>;
  const { between_cgroups_bytes: between } = answer.total;
  return (
    <section class="host-part" aria-label="Cgroups">
      {between !== null && (
        <p class="note">
          {bytesText(between)} are mapped by processes of several cgroups, and charged to the one that touched them
          first.
        </p>
      )}
      <SortTable
        label="What cgroups cost"
        rows={answer.cgroups}
        columns={COLUMNS}
        sort="PSS"
        keyOf={(row) => row.path}
        words={(row) => `${row.path} ${row.name}`}
      />
    </section>
  );
}
