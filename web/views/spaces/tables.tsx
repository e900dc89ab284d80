/** The same as tables: regions as maps and smaps print them, the layout that the kernel keeps, all processes. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { Space, SpaceProcess, SpaceVma } from '../../../src/view/spaces_form.ts';
import type { Engine } from '../../app/engine.ts';
import { selectPage, selectProcess } from '../../app/state.ts';
import { grouped, hex, pagesAsSize } from '../../ui/format.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import type { Chosen } from './ribbons.tsx';
import { BACKINGS, regionName } from './words.ts';

const FIRST_ROWS = 200;

interface TablesProps {
  readonly engine: Engine;
  readonly pid: number;
  readonly processes: readonly SpaceProcess[];
  readonly chosen: Chosen | null;
}

export function SpaceTables({ engine, pid, processes, chosen }: TablesProps) {
  const space = useAnswer(engine, 'space', pid).value;
  return (
    <section class="spaces-tables" aria-label="The same as tables">
      {space !== null && <RegionTable space={space} address={chosen?.address ?? null} />}
      {space !== null && space.marks.length > 0 && (
        <details>
          <summary>Layout of the address space of process {space.pid}</summary>
          <dl class="spaces-marks">
            {space.marks.map(({ name, address, says }) => (
              <div key={name}>
                <dt class="mono">{name}</dt>
                <dd>
                  <span class="mono">{hex(address)}</span> {says}
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      <ProcessTable processes={processes} />
    </section>
  );
}

/** Rows beyond the first stand there when asked for. */
function Rows<T>(props: {
  title: string;
  rows: readonly T[];
  head: ComponentChildren;
  row: (row: T) => ComponentChildren;
  isOpen?: boolean;
}) {
  const { title, rows, head, row, isOpen } = props;
  const most = useSignal(FIRST_ROWS);
  return (
    <details open={isOpen}>
      <summary>{title}</summary>
      <section class="table-box" aria-label={title}>
        <table>
          <thead>
            <tr>{head}</tr>
          </thead>
          <tbody>{rows.slice(0, most.value).map(row)}</tbody>
        </table>
      </section>
      {rows.length > most.value && (
        <button
          type="button"
          onClick={() => {
            most.value += FIRST_ROWS;
          }}
        >
          {grouped(rows.length - most.value)} more
        </button>
      )}
    </details>
  );
}

function RegionTable({ space, address }: { space: Space; address: number | null }) {
  const { pid, vmas, smapsFields, smapsNote } = space;
  const number = (n: number | null | undefined) => (n === null || n === undefined ? '–' : grouped(n));
  const head = (
    <>
      <th>addresses</th>
      <th>perms</th>
      <th>what</th>
      <th>name</th>
      <th class="number">offset</th>
      <th>flags</th>
      <th>anon_vma</th>
      <th class="number">pages</th>
      <th class="number">resident</th>
      <th class="number">shared</th>
      <th class="number">swapped</th>
      <th class="number">young</th>
      <th class="number">dirty</th>
      {smapsFields.map((field) => (
        <th class="number" key={field}>
          {field}
        </th>
      ))}
    </>
  );
  const row = (vma: SpaceVma) => {
    const { counts, anonVma } = vma;
    const isHere = address !== null && vma.start <= address && address < vma.end;
    return (
      <tr key={vma.start} aria-current={isHere ? 'true' : undefined}>
        <td class="mono">
          <button type="button" class="link" onClick={() => selectPage(pid, vma.start)}>
            {vma.start.toString(16)}-{vma.end.toString(16)}
          </button>
        </td>
        <td class="mono">{vma.perms}</td>
        <td title={BACKINGS[vma.backing].says}>
          {BACKINGS[vma.backing].letter} {vma.backing}
        </td>
        <td class="name">{regionName(vma.name, vma.backing)}</td>
        <td class="number mono">{vma.offset === null ? '–' : hex(vma.offset)}</td>
        <td>{vma.flags === null ? 'not read' : vma.flags.join(', ')}</td>
        <td>{anonVma === null ? '–' : `${anonVma.id} (${anonVma.links})`}</td>
        <td class="number">{grouped(vma.pages)}</td>
        <td class="number">{number(counts?.resident)}</td>
        <td class="number">{number(counts?.shared)}</td>
        <td class="number">{number(counts?.swapped)}</td>
        <td class="number">{space.knows.young === null ? '–' : number(counts?.young)}</td>
        <td class="number">{space.knows.dirty === null ? '–' : number(counts?.dirty)}</td>
        {smapsFields.map((field, i) => {
          const kb = vma.smaps?.[i];
          return (
            <td class="number" key={field}>
              {kb === undefined || Number.isNaN(kb) ? '–' : grouped(kb)}
            </td>
          );
        })}
      </tr>
    );
  };
  return (
    <>
      <Rows
        title={`Regions of process ${pid} as a table: maps, pages, and smaps in kB`}
        rows={vmas}
        head={head}
        row={row}
      />
      {smapsNote !== '' && <p class="note">{smapsNote}</p>}
    </>
  );
}

function ProcessTable({ processes }: { processes: readonly SpaceProcess[] }) {
  const size = (pages: number | null) => (pages === null ? '–' : pagesAsSize(pages));
  const head = (
    <>
      <th class="number">pid</th>
      <th>name</th>
      <th class="number">parent</th>
      <th>memory of</th>
      <th class="number">regions</th>
      <th class="number">size</th>
      <th class="number">RSS</th>
      <th class="number">anon</th>
      <th class="number">file</th>
      <th class="number">shmem</th>
      <th class="number">swap</th>
      <th class="number">PSS</th>
      <th class="number">faults</th>
      <th class="number">major</th>
    </>
  );
  const row = (process: SpaceProcess) => (
    <tr key={process.pid}>
      <td class="number">
        <button type="button" class="link" onClick={() => selectProcess(process.pid)}>
          {process.pid}
        </button>
      </td>
      <td class="name">{process.comm}</td>
      <td class="number">{process.parent ?? '–'}</td>
      <td>{process.sharesMmWith === null ? 'its own' : `process ${process.sharesMmWith}`}</td>
      <td class="number">{grouped(process.vmas)}</td>
      <td class="number">{size(process.sizePages)}</td>
      <td class="number">{size(process.rssPages)}</td>
      <td class="number">{size(process.anonPages)}</td>
      <td class="number">{size(process.filePages)}</td>
      <td class="number">{size(process.shmemPages)}</td>
      <td class="number">{size(process.swapPages)}</td>
      <td class="number">{process.pssBytes === null ? '–' : `${grouped(Math.floor(process.pssBytes / 1024))} KiB`}</td>
      <td class="number">{process.minorFaults === null ? '–' : grouped(process.minorFaults)}</td>
      <td class="number">{process.majorFaults === null ? '–' : grouped(process.majorFaults)}</td>
    </tr>
  );
  return <Rows title="All processes as a table" rows={processes} head={head} row={row} />;
}
