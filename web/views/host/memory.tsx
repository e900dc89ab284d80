/** Where the memory is: every frame under one use, so that the uses add up to MemTotal; beside it the kernel's own sums. */
import type { FrameKind } from '../../../src/host/frames/frame_kinds.ts';
import type { HostMemory } from '../../../src/view/host.ts';
import type { Engine } from '../../app/engine.ts';
import { view } from '../../app/state.ts';
import { grouped } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import { framesText } from './words.ts';

const COLOURS: Readonly<Partial<Record<FrameKind, string>>> = {
  free: '--bg-3',
  anon: '--p7',
  anon_huge: '--p3',
  file_mapped: '--p0',
  file: '--p5',
  shmem: '--p2',
  ksm: '--p4',
  slab: '--p6',
  pgtable: '--p1',
  kernel: '--p8',
  deferred: '--line',
};

export function Memory({ engine }: { engine: Engine }) {
  const memory = useAnswer(engine, 'hostMemory').value;
  if (memory === null) {
    return (
      <p class="empty">
        This snapshot does not say what every frame is used for. That stands in /proc/kpageflags, which only root may
        read: <code>sudo revmap snapshot -o host.rvh.gz</code> and <code>sudo revmap serve --live --frames</code> do.
      </p>
    );
  }
  return (
    <section class="host-part" aria-label="Memory by use">
      <Bar memory={memory} />
      <Uses memory={memory} />
      {memory.kernel.length > 0 && (
        <details>
          <summary>What the kernel’s own frames are, by its counters</summary>
          <section class="host-table" aria-label="The kernel’s own frames">
            <table>
              <tbody>
                {memory.kernel.map(({ name, frames }) => (
                  <tr key={name}>
                    <td>{name}</td>
                    <td class="number">{framesText(frames)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        </details>
      )}
      {memory.meminfo !== null && <Meminfo rows={memory.meminfo} />}
      <p>
        <button
          type="button"
          class="link"
          onClick={() => {
            view.value = 'frames';
          }}
        >
          Every frame, coloured by use
        </button>
      </p>
    </section>
  );
}

function Bar({ memory }: { memory: HostMemory }) {
  const { uses, sum } = memory;
  const label = uses.map((use) => `${use.label} ${share(use.frames, sum)}`).join(', ');
  return (
    <div class="host-bar" role="img" aria-label={`Memory by use: ${label}`}>
      {uses.map(({ kind, label: name, mark, frames }) => (
        <span
          key={kind}
          title={`${name}: ${framesText(frames)}`}
          style={{ flexGrow: frames, background: `var(${COLOURS[kind] ?? '--p9'})` }}
        >
          {frames > sum / 60 && <i>{mark.trim() || '·'}</i>}
        </span>
      ))}
    </div>
  );
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 0.05 ? 'less than 0.1 %' : `${percent.toFixed(1)} %`;
}

function Uses({ memory }: { memory: HostMemory }) {
  const { uses, sum, memTotal } = memory;
  return (
    <section class="host-table" aria-label="Memory by use as a table">
      <table>
        <thead>
          <tr>
            <th>use</th>
            <th class="number">memory</th>
            <th class="number">share</th>
            <th class="number">mapped</th>
            <th class="number">dirty</th>
          </tr>
        </thead>
        <tbody>
          {uses.map(({ kind, label, mark, frames, mapped, dirty }) => (
            <tr key={kind}>
              <td>
                <i class="host-mark" style={{ borderColor: `var(${COLOURS[kind] ?? '--p9'})` }}>
                  {mark}
                </i>{' '}
                {label}
              </td>
              <td class="number">{framesText(frames)}</td>
              <td class="number">{share(frames, sum)}</td>
              <td class="number">{mapped === 0 ? '–' : framesText(mapped)}</td>
              <td class="number">{dirty === 0 ? '–' : framesText(dirty)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th>counted</th>
            <th class="number">{framesText(sum)}</th>
            <td colSpan={3} />
          </tr>
          <tr>
            <th>MemTotal</th>
            <th class="number">{memTotal === null ? 'not read' : framesText(memTotal)}</th>
            <td colSpan={3}>{betweenText(memory)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

/** Why the two sums are not the same, and what is in neither. */
function betweenText({ memTotal, sum, reserved }: HostMemory): string {
  const parts: string[] = [];
  if (memTotal !== null && memTotal !== sum) {
    parts.push(`${framesText(sum - memTotal)} between them: reserved at boot, without the mark`);
  }
  if (reserved > 0) parts.push(`not in it: ${framesText(reserved)} reserved at boot`);
  return parts.join('; ');
}

function Meminfo({ rows }: { rows: NonNullable<HostMemory['meminfo']> }) {
  return (
    <details>
      <summary>Beside the kernel’s own sums (/proc/meminfo)</summary>
      <section class="host-table" aria-label="Counted beside meminfo">
        <table>
          <thead>
            <tr>
              <th>meminfo</th>
              <th class="number">counted</th>
              <th class="number">kernel</th>
              <th class="number">difference</th>
              <th>counted is</th>
              <th>it may differ by</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ fields, counted, kernel, difference, counts, differs }) => (
              <tr key={fields.join()}>
                <td>{fields.join(' + ')}</td>
                <td class="number">{grouped(counted)}</td>
                <td class="number">{grouped(Math.round(kernel))}</td>
                <td class="number">{difference === 0 ? '–' : grouped(Math.round(difference))}</td>
                <td>{counts}</td>
                <td>{differs}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="note">In frames of 4 KiB.</p>
    </details>
  );
}
