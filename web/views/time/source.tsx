/** What is being run: the lines of a memory program with what they returned, or the accesses and calls of a recording. */
import { useEffect, useRef } from 'preact/hooks';
import type { ProgramLine } from '../../../src/view/time_log.ts';
import type { Engine } from '../../app/engine.ts';
import { grouped } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';
import { useAnswer } from '../../ui/use_answer.ts';

export function Source({ engine }: { engine: Engine }) {
  return engine.facts.value?.lines == null ? <Nearby engine={engine} /> : <Program engine={engine} />;
}

function useInView(dependency: unknown) {
  const box = useRef<HTMLElement>(null);
  const mark = useRef<HTMLLIElement & HTMLTableRowElement>(null);
  useEffect(() => {
    if (box.current !== null && mark.current !== null) {
      box.current.scrollTop = mark.current.offsetTop - box.current.clientHeight / 2;
    }
  }, [dependency]);
  return { box, mark };
}

function Program({ engine }: { engine: Engine }) {
  const lines = engine.facts.value!.lines!;
  const answers = useAnswer(engine, 'lineResults').value ?? [];
  const next = engine.now.value!.line;
  const { box, mark } = useInView(next);
  const byLine = new Map<number, ProgramLine>(answers.map((line) => [line.line, line]));
  return (
    <section class="time-source">
      <h2>The program</h2>
      <p class="soft">The marked line is made next. Choose a line to stand before it.</p>
      <Scroll label="Lines of the program" box={box}>
        <ol class="listing">
          {lines.map((text, n) => {
            const made = byLine.get(n + 1);
            const isNext = next === n + 1;
            return (
              <li
                key={n}
                class={isNext ? 'next' : ''}
                aria-current={isNext ? 'step' : undefined}
                {...(isNext ? { ref: mark } : {})}
              >
                <span class="line-number">
                  {isNext ? '▶ ' : ''}
                  {n + 1}
                </span>
                {made === undefined ? (
                  <code class="soft">{text}</code>
                ) : (
                  <button type="button" class="line" onClick={() => void engine.seek(made.step)}>
                    <code>{text}</code>
                  </button>
                )}
                {made?.result != null && <span class={made.failed ? 'result wrong' : 'result'}>{made.result}</span>}
              </li>
            );
          })}
        </ol>
      </Scroll>
    </section>
  );
}

function Nearby({ engine }: { engine: Engine }) {
  const playing = engine.playing.value;
  const rows = useAnswer(engine, playing ? null : 'nearbySteps').value;
  const { step, pid } = engine.now.value!;
  const { box, mark } = useInView(rows);
  const first = rows?.findIndex((row) => row.step > step) ?? -1;
  return (
    <section class="time-source">
      <h2>The recording</h2>
      <p class="soft">
        {pid === null ? '' : `Process ${pid} runs. `}Accesses and system calls as they were recorded; the marked one is
        next.
      </p>
      {rows === null ? (
        <p class="soft">{playing ? 'They are shown when the clock is paused.' : 'Looking …'}</p>
      ) : (
        <Scroll label="Steps around this place" box={box}>
          <table>
            <thead>
              <tr>
                <th scope="col" class="number">
                  step
                </th>
                <th scope="col" class="number">
                  process
                </th>
                <th scope="col">recorded</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row, n) => (
                <tr
                  key={n}
                  class={n === first ? 'present-row' : ''}
                  aria-current={n === first ? 'step' : undefined}
                  {...(n === first ? { ref: mark } : {})}
                >
                  <td class="number">
                    <button type="button" class="link" onClick={() => void engine.seek(row.step)}>
                      {grouped(row.step)}
                    </button>
                  </td>
                  <td class="number">{row.pid}</td>
                  <td class={row.isCall ? 'call' : ''}>
                    <code>{row.text}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
