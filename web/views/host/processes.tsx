/** What each process really costs; of the chosen one, what would come of its memory if it ended, and with whom it shares. */
import type { ExitCost, ProcessCost } from '../../../src/host/cost/ps.ts';
import type { Engine } from '../../app/engine.ts';
import { selectPage, selectProcess, view } from '../../app/state.ts';
import { hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { type Column, SortTable } from './sort_table.tsx';
import { bytesText, printable } from './words.ts';

const figure = (head: string, says: string, of: (row: ProcessCost) => number | null): Column<ProcessCost> => ({
  head,
  says,
  by: of,
  shown: (row) => bytesText(of(row)),
});

const MOST_SHARERS = 6;

function freed({ exit }: ProcessCost): number | null {
  return exit === null ? null : exit.freed_bytes + exit.freed_unmapped_bytes + exit.freed_with_file_bytes;
}

const COLUMNS: readonly Column<ProcessCost>[] = [
  {
    head: 'pid',
    says: 'number of the process',
    by: (row) => -row.pid,
    shown: (row) => (
      <button type="button" class="link" onClick={() => selectProcess(row.pid)}>
        {row.pid}
      </button>
    ),
  },
  { head: 'name', says: 'what it is called', by: (row) => printable(row.comm) },
  figure('PSS', 'its share: of a page that n processes map, one nth', (row) => row.pss_bytes),
  figure('USS', 'mapped by nobody else', (row) => row.uss_bytes),
  figure('RSS', 'all it maps, whoever else does', (row) => row.rss_bytes),
  figure('swap', 'its pages in swap', (row) => row.swap_bytes),
  figure('freed', 'what would be free at once if it ended', freed),
  figure(
    'to cache',
    'pages of files that only it maps: they would be page cache',
    (row) => row.exit?.becomes_cache_bytes ?? null,
  ),
  figure('stays', 'what others hold, too', (row) =>
    row.exit === null ? null : row.exit.stays_shared_bytes + row.exit.becomes_shmem_bytes,
  ),
  { head: 'cgroup', says: 'its memory cgroup', by: (row) => printable(row.cgroup) },
];

export function Processes({ engine }: { engine: Engine }) {
  const answer = useAnswer(engine, 'hostPs').value;
  const { pid } = engine.selection.value;
  if (answer === null) return <p class="empty">Counting …</p>;
  const { processes, total } = answer;
  const chosen = processes.find((row) => row.pid === pid);
  return (
    <section class="host-part" aria-label="Processes">
      <p class="note">
        {plural(total.processes, 'process has', 'processes have')} memory. Each adds up what it maps to RSS,{' '}
        {bytesText(total.sum_rss_bytes)} in all; each frame once that is {bytesText(total.mapped_bytes)}. PSS shares
        them out, so PSS adds up: {bytesText(total.sum_pss_bytes)}.
        {total.not_seen > 0 && ` The pages of ${plural(total.not_seen, 'process', 'processes')} could not be seen.`}
      </p>
      {chosen !== undefined && <ProcessCard engine={engine} process={chosen} />}
      <SortTable
        label="What each process costs"
        rows={processes}
        columns={COLUMNS}
        sort="PSS"
        keyOf={(row) => row.pid}
        words={(row) => `${row.pid} ${row.comm} ${row.cgroup}`}
        isCurrent={(row) => row.pid === pid}
      />
    </section>
  );
}

/** `12 KiB would be free at once, 24 KiB would stay: …`. */
function endText(process: ProcessCost, exit: ExitCost): string {
  const stays = exit.stays_shared_bytes + exit.becomes_shmem_bytes;
  const parts = [`${bytesText(freed(process))} would be free at once`];
  if ((exit.freed_swap_bytes ?? 0) > 0) parts.push(`${bytesText(exit.freed_swap_bytes)} of swap, too`);
  if (exit.becomes_cache_bytes > 0)
    parts.push(`${bytesText(exit.becomes_cache_bytes)} of files would be cache that can go`);
  if (stays > 0) parts.push(`${bytesText(stays)} would stay, because others map it or it is shared memory`);
  return parts.join(', ');
}

function ProcessCard({ engine, process }: { engine: Engine; process: ProcessCost }) {
  const { pid, comm, exit, kernel, differs } = process;
  const sharers = useAnswer(engine, 'hostSharers', pid).value;
  return (
    <section class="host-card" aria-labelledby="host-card-title">
      <h3 id="host-card-title">
        {pid} {printable(comm)}{' '}
        <button
          type="button"
          class="link"
          onClick={() => {
            view.value = 'spaces';
          }}
        >
          its address space
        </button>
      </h3>
      {exit !== null && <p>If it ended now, {endText(process, exit)}.</p>}
      {kernel !== null && differs.length > 0 && <p class="note">The kernel says otherwise: {differs.join('; ')}.</p>}
      {process.unsteady && <p class="note">It moved while it was read: its figures may be of two moments.</p>}
      {sharers !== null && sharers.pid === pid && (
        <>
          <p>
            It maps {bytesText(sharers.mappedBytes)}: {bytesText(sharers.privateBytes)} alone,{' '}
            {bytesText(sharers.sharedBytes)} with others
            {sharers.hiddenPages > 0 && `; of ${plural(sharers.hiddenPages, 'page')} the frames are hidden`}.
          </p>
          <ul class="host-sharers">
            {sharers.with.slice(0, MOST_SHARERS).map((other) => (
              <li key={other.pid}>
                <button type="button" class="link" onClick={() => selectProcess(other.pid)}>
                  {other.pid} {printable(other.comm)}
                </button>{' '}
                {bytesText(other.bytes)}
                {other.regions.slice(0, 3).map((region) => (
                  <span key={`${region.start} ${region.by}`}>
                    {' · '}
                    <button
                      type="button"
                      class="link"
                      title={`Choose the first page of ${printable(region.name) || 'this region'}`}
                      onClick={() => selectPage(pid, region.start)}
                    >
                      {printable(region.name).replace(/^.*\/(?=.)/, '') || hex(region.start)}
                    </button>{' '}
                    {region.by} {bytesText(region.bytes)}
                  </span>
                ))}
              </li>
            ))}
            {sharers.with.length > MOST_SHARERS && <li>and {sharers.with.length - MOST_SHARERS} more</li>}
          </ul>
        </>
      )}
    </section>
  );
}
