/** The events just before the present place and those that come next, in words; each is a way to its step and its page. */
import { useEffect, useRef } from 'preact/hooks';
import type { LogRow } from '../../../src/view/time_log.ts';
import type { Engine } from '../../app/engine.ts';
import { selectFrame, selectPage } from '../../app/state.ts';
import { duration, grouped } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';
import { useAnswer } from '../../ui/use_answer.ts';

const MOST = 100;
const PAGE_SIZE = 4096;

export function Log({ engine }: { engine: Engine }) {
  const log = useAnswer(engine, engine.playing.value ? null : 'eventLog', MOST).value;
  const box = useRef<HTMLElement>(null);
  const present = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (box.current !== null && present.current !== null) {
      box.current.scrollTop = present.current.offsetTop - box.current.clientHeight / 2;
    }
  }, [log]);
  const now = engine.now.value!;
  const pick = ({ step, pfn, pid, address }: LogRow): void => {
    void engine.seek(step).then(() => {
      if (pfn !== null) selectFrame(engine, pfn);
      else if (pid !== null && address !== null) selectPage(pid, address - (address % PAGE_SIZE));
    });
  };
  return (
    <section class="time-log">
      <h2>Events around this place</h2>
      {log === null ? (
        <p class="soft">{engine.playing.value ? 'They are listed when the clock is paused.' : 'Looking …'}</p>
      ) : (
        <Scroll label="Events around this place" box={box}>
          <table>
            <caption class="said">
              Events from step {grouped(log.from)} to {grouped(log.to)}
            </caption>
            <thead>
              <tr>
                <th scope="col" class="number">
                  step
                </th>
                <th scope="col">what happens</th>
                <th scope="col" class="number">
                  clock
                </th>
              </tr>
            </thead>
            <tbody>
              {log.before.length === 0 && <Nothing text={`No event from step ${grouped(log.from)} to here.`} />}
              {log.before.map((row, n) => (
                <Row key={n} row={row} onPick={pick} />
              ))}
              <tr class="present-row" ref={present}>
                <td class="number">{grouped(log.at)}</td>
                <td colSpan={2}>{now.ended && now.step === log.at ? 'here: the program has ended' : 'here'}</td>
              </tr>
              {log.after.map((row, n) => (
                <Row key={-n - 1} row={row} onPick={pick} />
              ))}
              {log.after.length < MOST && !now.ended && <Nothing text={`No more up to step ${grouped(log.to)}.`} />}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function Row({ row, onPick }: { row: LogRow; onPick: (row: LogRow) => void }) {
  return (
    <tr class={`log-${row.kind}`}>
      <td class="number">{grouped(row.step)}</td>
      <td>
        <button type="button" class="link" onClick={() => onPick(row)}>
          {row.text}
        </button>
      </td>
      <td class="number">{duration(row.atNs)}</td>
    </tr>
  );
}

function Nothing({ text }: { text: string }) {
  return (
    <tr>
      <td />
      <td colSpan={2} class="soft">
        {text}
      </td>
    </tr>
  );
}
