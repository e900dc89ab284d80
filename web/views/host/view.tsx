/**
 * View 8: a host. What it is, what its processes really cost, where its memory is, who shares files, what changed.
 *
 * Owns      which of these is shown. A host is opened as a file, or looked at live where the page came from `revmap serve --live`.
 */
import type { HostFacts } from '../../../src/view/host.ts';
import type { Engine } from '../../app/engine.ts';
import type { ViewProps } from '../../app/page.tsx';
import { kept, served } from '../../app/state.ts';
import { grouped, plural } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { Cgroups } from './cgroups.tsx';
import { Changed } from './changes.tsx';
import { Files } from './files.tsx';
import './host.css';
import { LiveBar } from './live_bar.tsx';
import { Memory } from './memory.tsx';
import { Processes } from './processes.tsx';
import { bytesText, missingText, printable, whenText } from './words.ts';

const PARTS = [
  { id: 'processes', name: 'Processes', Part: Processes },
  { id: 'memory', name: 'Memory by use', Part: Memory },
  { id: 'cgroups', name: 'Cgroups', Part: Cgroups },
  { id: 'files', name: 'Files', Part: Files },
  { id: 'changes', name: 'What changed', Part: Changed },
] as const;

const { hostPart: part, sort, isUpwards, find } = kept;

export function HostView({ engine }: ViewProps) {
  const facts = useAnswer(engine, 'hostFacts').value;
  if (engine.facts.value?.kind !== 'host') return <NoHost engine={engine} />;
  if (facts === null) return <p class="empty">Counting …</p>;
  const { Part } = PARTS.find(({ id }) => id === part.value)!;
  return (
    <div class="host">
      <LiveBar engine={engine} />
      <Facts facts={facts} />
      <nav class="host-parts" aria-label="Parts of the host">
        {PARTS.map(({ id, name }) => (
          <button type="button" key={id} aria-pressed={part.value === id} onClick={() => showPart(id)}>
            {name}
          </button>
        ))}
      </nav>
      <Part engine={engine} />
    </div>
  );
}

/** Its table begins as it is usual. */
function showPart(id: typeof part.value): void {
  part.value = id;
  sort.value = '';
  isUpwards.value = false;
  find.value = '';
}

function NoHost({ engine }: { engine: Engine }) {
  const isLive = served.value?.live === true;
  return (
    <div class="host host-none">
      <h2>No host is open</h2>
      {isLive && <LiveBar engine={engine} />}
      <p>
        A snapshot is one moment of a host: every frame of its memory, every process, and what each maps. Make one where
        you want to look, as root if you may, and drop the file on this page:
      </p>
      <pre>
        <code>revmap snapshot -o host.rvh.gz</code>
      </pre>
      <p>
        Then the views <b>Frames</b>, <b>Address spaces</b> and <b>Reverse map</b> show that host as they show a
        simulated machine, and here stands what its processes really cost. A second snapshot is compared with the one
        before. <code>--redact</code> leaves names out. The file is read here and sent nowhere.
      </p>
      {!isLive && (
        <p>
          To look at a running host again and again, open this page with <code>revmap serve --live</code> on it.
        </p>
      )}
    </div>
  );
}

function Facts({ facts }: { facts: HostFacts }) {
  const { hostname, kernel, source, takenAtMs, tookMs, redacted, changes } = facts;
  const kb = (n: number | null) => (n === null ? '–' : bytesText(n * 1024));
  const shown = facts.missing.filter(({ why }) => why !== 'not asked for');
  const moved = [
    changes.processesGone > 0 ? `${plural(changes.processesGone, 'process', 'processes')} ended` : '',
    changes.processesReread > 0
      ? `${plural(changes.processesReread, 'process', 'processes')} moved and were read again`
      : '',
    changes.processesUnsteady.length > 0 ? `still moving: ${changes.processesUnsteady.join(', ')}` : '',
    changes.entriesStale > 0 ? `${plural(changes.entriesStale, 'page')} changed hands` : '',
  ].filter((text) => text !== '');
  return (
    <section class="host-facts" aria-label="What it is">
      <h2>
        {source === 'machine' ? 'A simulated machine' : printable(hostname) || 'A host without a name'}{' '}
        <span>Linux {printable(kernel)}</span>
      </h2>
      <dl>
        <div>
          <dt>taken</dt>
          <dd>
            {source === 'machine' ? `at ${Math.round(takenAtMs)} ms of its clock` : whenText(takenAtMs)}
            {tookMs > 0 && `, in ${(tookMs / 1000).toFixed(1)} s`}
          </dd>
        </div>
        <div>
          <dt>memory</dt>
          <dd>
            {kb(facts.memTotalKb)}, {kb(facts.memAvailableKb)} available
          </dd>
        </div>
        <div>
          <dt>swap</dt>
          <dd>{facts.swapTotalKb === 0 ? 'none' : `${kb(facts.swapTotalKb)}, ${kb(facts.swapFreeKb)} free`}</dd>
        </div>
        <div>
          <dt>in it</dt>
          <dd>
            {plural(facts.processes, 'process', 'processes')}, {plural(facts.regions, 'region')},{' '}
            {plural(facts.entries, 'entry', 'entries')}
            {facts.frames === null ? '' : `, ${plural(facts.frames, 'frame')}`}
          </dd>
        </div>
        {redacted && (
          <div>
            <dt>redacted</dt>
            <dd>names were left out when it was made</dd>
          </div>
        )}
      </dl>
      {(shown.length > 0 || moved.length > 0) && (
        <details open={shown.some(({ what }) => /^(pagemap|kpage|frame)/.test(what))}>
          <summary>
            {shown.length === 0 ? 'What moved while it was read' : `What is missing: ${grouped(shown.length)}`}
          </summary>
          <ul>
            {shown.map(({ what, why, count }) => (
              <li key={`${what} ${why}`}>{missingText(what, why, count)}</li>
            ))}
            {moved.map((text) => (
              <li key={text}>while it was read: {text}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
