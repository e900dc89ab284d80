/**
 * The rule of the kernel that runs, with its numbers; generations and tiers; counters; pages on their way to a list.
 */
import type { BatchView, ListsView } from '../../../src/view/lists.ts';
import type { Generations } from '../../../src/view/lists_generations.ts';
import type { Rule } from '../../../src/view/lists_rule.ts';
import { stateWords } from '../../../src/view/lists_words.ts';
import type { Engine } from '../../app/engine.ts';
import { selectFrame } from '../../app/state.ts';
import { duration, grouped, hex } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

export function RuleBox({ view }: { view: ListsView }) {
  const { rule } = view;
  return (
    <section class="rule" aria-label="The rule in force">
      <h2>The rule of Linux {view.kernel}</h2>
      <p>{rule.says}</p>
      <p class="says">
        <code>{rule.functions}</code>
      </p>
      <Scroll label="The rule with its numbers">
        <table>
          <tbody>
            {rule.lines.map(({ name, formula, value }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <span class="formula">{formula}</span> <strong>= {value}</strong>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <NextScan rule={rule} view={view} />
    </section>
  );
}

/** What the first round that looks at anything would look at. */
function NextScan({ rule, view }: { rule: Rule; view: ListsView }) {
  if (rule.scan === null) return null;
  const { priority, pages } = rule.scan;
  const named = pages.flatMap((count, lru) => {
    const list = view.lists.find((one) => one.lru === lru);
    return count === 0 || list === undefined ? [] : [`${grouped(count)} of ${list.name}`];
  });
  return (
    <p>
      A reclaim that began now would look at {named.length === 0 ? 'nothing' : named.join(', ')} first, at priority{' '}
      {priority}
      {priority > 0 ? ` (a ${grouped(2 ** priority)}th of each list)` : ' (all of each list)'}.
    </p>
  );
}

export function GenerationsBox({ generations }: { generations: Generations }) {
  const { rows, tiers, walks } = generations;
  const told = tiers.filter(
    ({ refaulted, evicted, protected: kept, averageTotal }) => refaulted + evicted + kept + averageTotal > 0,
  );
  return (
    <section class="rule" aria-label="Generations">
      <h2>Generations</h2>
      <p class="says">
        A page that a walk found young says at once that it is of the youngest (G), and moves when eviction meets it.
      </p>
      <Scroll label="Generations, by sequence number">
        <table>
          <thead>
            <tr>
              <th class="number">Seq</th>
              <th class="number">Age</th>
              <th class="number">Anon</th>
              <th class="number">File</th>
              <th>Counts as</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ seq, ageNs, anon, file, active }) => (
              <tr key={seq}>
                <td class="number">{seq}</td>
                <td class="number">{duration(ageNs)}</td>
                <td class="number">{anon === null ? 'gone' : grouped(anon)}</td>
                <td class="number">{file === null ? 'gone' : grouped(file)}</td>
                <td>{active ? 'active' : 'inactive'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {told.length > 0 && (
        <Scroll label="Tiers of the oldest generation">
          <table>
            <caption>
              Tiers: uses through read and write, and how much came back (P: this generation, I: those before)
            </caption>
            <thead>
              <tr>
                <th>Tier</th>
                <th class="number">Refaulted</th>
                <th class="number">Evicted</th>
                <th class="number">Protected</th>
                <th class="number">I</th>
                <th>Now</th>
              </tr>
            </thead>
            <tbody>
              {told.map((tier) => (
                <tr key={`${tier.type} ${tier.tier}`}>
                  <td>
                    {tier.type} {tier.tier}
                  </td>
                  <td class="number">{grouped(tier.refaulted)}</td>
                  <td class="number">{grouped(tier.evicted)}</td>
                  <td class="number">{grouped(tier.protected)}</td>
                  <td class="number">
                    {grouped(tier.averageRefaulted)} of {grouped(tier.averageTotal)}
                  </td>
                  <td>{tier.isProtected ? 'protected' : 'may go'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <p class="says">
        Walks so far: {grouped(walks.entries)} entries, {grouped(walks.young)} of them young; {grouped(walks.tables)}{' '}
        tables, {grouped(walks.added)} of them dense and in the Bloom filter of the next walk. Address spaces:{' '}
        {walks.mms}.
      </p>
    </section>
  );
}

export function Batches({ engine, batches }: { engine: Engine; batches: readonly BatchView[] }) {
  const full = batches.filter(({ frames }) => frames.length > 0);
  return (
    <section class="rule" aria-label="On the way">
      <h2>On the way</h2>
      <p class="says">
        {batches.length === 0
          ? 'This kernel has no batches: a page reaches its list at once.'
          : 'A CPU collects pages before it takes the lock of a list. Reclaim does not see them yet.'}
      </p>
      {batches.length > 0 && full.length === 0 && <p class="none">All batches are empty.</p>}
      {full.map(({ name, room, frames, states }) => (
        <p key={name} class="batch">
          <code>{name}</code> {frames.length} of {room}:{' '}
          {[...frames].map((pfn, n) => (
            <button
              type="button"
              class="link mono"
              key={`${pfn} ${n}`}
              title={stateWords(states[n]!)}
              onClick={() => selectFrame(engine, pfn)}
            >
              {hex(pfn)}
            </button>
          ))}
        </p>
      ))}
    </section>
  );
}

export function Counters({ view }: { view: ListsView }) {
  return (
    <details class="rule">
      <summary>Counters of these lists</summary>
      <table>
        <tbody>
          {view.counters.map(({ name, value }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td class="number">{grouped(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
