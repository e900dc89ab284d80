/** What changed since the snapshot that was open before: who grew, who shrank, where pages went. */
import type { ComponentChildren } from 'preact';
import type { PageChange } from '../../../src/host/diff/diff_entries.ts';
import type { Pair } from '../../../src/host/diff/diff_pair.ts';
import type { HostChanges } from '../../../src/view/host.ts';
import type { Engine } from '../../app/engine.ts';
import { selectProcess } from '../../app/state.ts';
import { grouped, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { bytesText, deltaText, framesText, printable, whenText } from './words.ts';

const SHOWN = 25;

const PAGE_WORDS: Readonly<Record<PageChange, string>> = {
  moved: 'in another frame: migrated, or given back and touched anew',
  copied: 'were shared, are copies of their own',
  shared: 'were their own, are shared: forked, or merged',
  file_moved: 'of a file, in another frame: read again, or migrated',
  file_to_anon: 'of a file, now a private copy',
  anon_to_file: 'private copies that are the file’s again',
  swapped_out: 'swapped out',
  swapped_in: 'swapped in',
  swap_moved: 'in another slot of swap',
  swap_dropped: 'given back while in swap',
  swap_appeared: 'touched and swapped out since',
  dropped: 'given back, or taken by reclaim',
  touched: 'touched for the first time',
};

const CHANGE_WORDS = { came: 'new', went: 'gone', changed: '' } as const;

export function Changed({ engine }: { engine: Engine }) {
  const changes = useAnswer(engine, 'hostChanges').value;
  if (changes === null) {
    return (
      <p class="empty">
        There is nothing to compare with yet. Open a second snapshot, or look at the live host again: what changed since
        the one before stands here.
      </p>
    );
  }
  const kb = (n: number) => bytesText(n * 1024);
  const delta = (pair: Pair | null, show: (n: number) => string) =>
    pair === null ? '–' : deltaText(pair.before, pair.after, show);
  const { seconds, unlike, processes, pages, files, meminfo, mappings, lengths } = changes;
  const moved = Object.entries(pages ?? {}) as [PageChange, number][];
  return (
    <section class="host-part" aria-label="What changed">
      <p class="note">
        Since {whenText(changes.beforeAtMs)}: {Math.abs(seconds).toFixed(1)} s{' '}
        {seconds < 0 ? 'after this one' : 'before this one'}.
        {unlike.length > 0 &&
          ` The two are not of one ${unlike.join(', ')}: processes are compared by name, single pages and frames not at all.`}
      </p>
      {lengths.processes + lengths.files + lengths.meminfo === 0 && <p>No difference.</p>}
      <Part
        title="Processes"
        total={lengths.processes}
        head={['process', 'pid', '', 'RSS now', 'RSS', 'PSS', 'swap']}
        rows={processes.slice(0, SHOWN).map(({ comm, pid, change, rss, pss, swap, processes: count }) => [
          printable(comm),
          pid === null ? (
            `${count.before} → ${count.after}`
          ) : change === 'went' ? (
            String(pid)
          ) : (
            <button type="button" class="link" onClick={() => selectProcess(pid)}>
              {pid}
            </button>
          ),
          CHANGE_WORDS[change],
          rss === null ? '–' : kb(rss.after),
          delta(rss, kb),
          delta(pss, kb),
          delta(swap, kb),
        ])}
      />
      <Part
        title="Pages of regions that both have"
        total={moved.length}
        head={['what happened', 'pages', 'memory']}
        rows={moved.sort(([, a], [, b]) => b - a).map(([change, n]) => [PAGE_WORDS[change], grouped(n), framesText(n)])}
      />
      <Part
        title="Memory (meminfo)"
        total={lengths.meminfo}
        head={['field', 'before', 'now', 'change']}
        rows={meminfo.slice(0, SHOWN).map(({ name, before, after }) => {
          // All are in kB but the pages of hugetlb.
          const show = name.startsWith('HugePages_') ? grouped : kb;
          return [name, show(before), show(after), deltaText(before, after, show)];
        })}
      />
      <Part
        title="Files"
        total={lengths.files}
        head={['file', 'cached', 'entries that map it']}
        rows={files
          .slice(0, SHOWN)
          .map(({ path, cached, mapped }) => [printable(path), delta(cached, framesText), delta(mapped, grouped)])}
      />
      <Part
        title="Regions"
        total={lengths.mappings}
        head={['region', 'of', '', 'size', 'present']}
        rows={(mappings ?? [])
          .slice(0, SHOWN)
          .map(({ name, comm, pid, change, pages: space, present }) => [
            printable(name) || 'anonymous',
            `${printable(comm)} ${pid}`,
            CHANGE_WORDS[change],
            delta(space, framesText),
            delta(present, framesText),
          ])}
      />
      <Zones changes={changes} />
    </section>
  );
}

function Zones({ changes }: { changes: HostChanges }) {
  const rows = changes.zones.map(({ node, zone, free, huge }) => [
    `${node}:${printable(zone)}`,
    framesText(free.after),
    deltaText(free.before, free.after, framesText),
    deltaText(huge.before, huge.after, framesText),
  ]);
  return (
    <Part title="Free memory" total={rows.length} head={['zone', 'free now', 'change', 'in huge blocks']} rows={rows} />
  );
}

function Part(props: {
  title: string;
  total: number;
  head: readonly string[];
  rows: readonly (readonly ComponentChildren[])[];
}) {
  const { title, total, head, rows } = props;
  if (rows.length === 0) return null;
  return (
    <details open>
      <summary>
        {title}: {plural(total, 'change')}
      </summary>
      <section class="host-table" aria-label={title}>
        <table>
          <thead>
            <tr>
              {head.map((text, i) => (
                // Two columns may be called the same.
                <th key={`${i} ${text}`} class={i === 0 ? undefined : 'number'}>
                  {text || <span class="said">new or gone</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((cells, row) => (
              <tr key={`${row}`}>
                {cells.map((cell, i) => (
                  <td key={head[i]} class={i === 0 ? 'name' : 'number'}>
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {total > rows.length && <p class="note">and {plural(total - rows.length, 'smaller one')}</p>}
    </details>
  );
}
