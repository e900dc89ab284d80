/** Files: what sharing saves, what is cached; of the chosen one, who maps which part. */
import type { HostFileRow } from '../../../src/view/host.ts';
import type { Engine } from '../../app/engine.ts';
import { kept, selectFrame, selectPage } from '../../app/state.ts';
import { grouped, hex, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { type Column, SortTable } from './sort_table.tsx';
import { framesText, printable } from './words.ts';

const { hostFile: chosen } = kept;

const MOST_SHOWN = 60;

const figure = (head: string, says: string, of: (row: HostFileRow) => number | null): Column<HostFileRow> => ({
  head,
  says,
  by: of,
  shown: (row) => framesText(of(row)!),
});

const COLUMNS: readonly Column<HostFileRow>[] = [
  {
    head: 'file',
    says: 'its path',
    by: (row) => printable(row.path),
    shown: (row) => (
      <button
        type="button"
        class="link"
        onClick={() => {
          chosen.value = row.file;
        }}
      >
        {printable(row.path)}
        {row.deleted ? ' (deleted)' : ''}
      </button>
    ),
  },
  { head: 'mapped by', says: 'processes that map it', by: (row) => row.mappers },
  figure('saved', 'what as many copies would take more', (row) => row.savedPages),
  figure('mapped', 'pages of it that somebody maps, each once', (row) => row.mappedPages),
  figure('cached', 'pages of it in the page cache, mapped or not', (row) => row.cachedPages),
  figure('dirty', 'of those: changed since written', (row) => row.dirtyPages),
];

export function Files({ engine }: { engine: Engine }) {
  const answer = useAnswer(engine, 'hostFiles').value;
  if (answer === null) return <p class="empty">Counting …</p>;
  if (answer.rows.length === 0) return <p class="empty">No file is mapped or cached.</p>;
  const isCacheKnown = answer.rows.some(({ cachedPages }) => cachedPages !== null);
  return (
    <section class="host-part" aria-label="Files">
      <p class="note">
        {answer.total > answer.rows.length && `${grouped(answer.rows.length)} of ${plural(answer.total, 'file')}. `}A
        page of a file is one frame, whoever maps it.
        {!isCacheKnown &&
          ' What is cached and mapped by nobody is not in this snapshot: revmap snapshot asks for it, unless told --no-files.'}
      </p>
      {chosen.value !== null && <FileCard engine={engine} file={chosen.value} />}
      <SortTable
        label="Files, who saves most by being shared first"
        rows={answer.rows}
        columns={isCacheKnown ? COLUMNS : COLUMNS.slice(0, 4)}
        sort="saved"
        keyOf={(row) => row.file}
        words={(row) => row.path}
        isCurrent={(row) => row.file === chosen.value}
      />
    </section>
  );
}

function FileCard({ engine, file }: { engine: Engine; file: number }) {
  const answer = useAnswer(engine, 'hostFile', file).value;
  if (answer === null) return null;
  const { ranges, copies, mappedPages, processes, cached, left } = answer;
  return (
    <section class="host-card" aria-labelledby="host-file-title">
      <h3 id="host-file-title">
        {printable(answer.file.path)}{' '}
        <button
          type="button"
          class="link"
          onClick={() => {
            chosen.value = null;
          }}
        >
          close
        </button>
      </h3>
      <p>
        {plural(processes, 'process has', 'processes have')} regions of it; {framesText(mappedPages)} of it are mapped
        {cached !== null && `, ${framesText(cached.pages)} cached`}.
        {copies.length > 0 &&
          ` Private copies of its pages: ${copies
            .map(({ pid, comm, pages }) => `${pid} ${printable(comm)} ${framesText(pages)}`)
            .slice(0, 8)
            .join(', ')}.`}
      </p>
      <section class="host-table" aria-label="Parts of the file, and who maps them">
        <table>
          <thead>
            <tr>
              <th class="number">from byte</th>
              <th class="number">size</th>
              <th>frames</th>
              <th>mapped by</th>
            </tr>
          </thead>
          <tbody>
            {ranges.slice(0, MOST_SHOWN).map(({ offset, pages, frames, mappers }) => (
              <tr key={offset}>
                <td class="number mono">{hex(offset)}</td>
                <td class="number">{framesText(pages)}</td>
                <td class="mono">
                  {frames.length === 0
                    ? 'hidden'
                    : frames.slice(0, 2).map(([pfn, n]) => (
                        <button type="button" class="link mapper" key={pfn} onClick={() => selectFrame(engine, pfn)}>
                          {hex(pfn)}
                          {n > 1 && `+${n - 1}`}
                        </button>
                      ))}
                  {frames.length > 2 && ` and ${frames.length - 2} more`}
                </td>
                <td>
                  {mappers.slice(0, 4).map(({ pid, comm, address }) => (
                    <button
                      type="button"
                      class="link mapper"
                      key={`${pid} ${address}`}
                      onClick={() => selectPage(pid, address)}
                    >
                      {pid} {printable(comm)}
                    </button>
                  ))}
                  {mappers.length > 4 && ` and ${mappers.length - 4} more`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {ranges.length + left > MOST_SHOWN && (
        <p class="note">and {grouped(ranges.length + left - MOST_SHOWN)} parts more</p>
      )}
    </section>
  );
}
