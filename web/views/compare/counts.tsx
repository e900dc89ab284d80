/** What each has counted, and the difference. */
import type { Count, CountGroup } from '../../../src/view/compare.ts';
import { kept } from '../../app/state.ts';
import { duration, grouped } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';
import { useAnswer } from '../../ui/use_answer.ts';
import type { Both } from './machines.tsx';
import { atOtherSteps } from './second.ts';

interface Row {
  readonly group: CountGroup;
  readonly name: string;
  readonly says: string;
  readonly unit: Count['unit'];
  readonly left: number | null;
  readonly right: number | null;
}

const GROUPS: readonly CountGroup[] = [
  'Faults and traffic',
  'Reclaim',
  'Work',
  'Memory now',
  'Lists now',
  'Other counters',
];

const { withSame } = kept;

export function Counts({ left, right }: Both) {
  const mine = useAnswer(left, 'compareCounts');
  const theirs = useAnswer(right, 'compareCounts');
  if (mine.value === null || theirs.value === null) return <p class="empty">Counting …</p>;
  const rows = joined(mine.value, theirs.value);
  const differing = rows.filter(isOther).length;
  const shown = rows.filter((row) => withSame.value || isOther(row));
  const off = atOtherSteps(left, right);
  return (
    <section class="compare-counts" aria-label="Counters" aria-busy={off?.passes === true}>
      <h3>
        {off !== null
          ? off.says
          : differing === 0
            ? 'All numbers are the same'
            : `${differing} of ${rows.length} numbers differ`}
      </h3>
      <label class="check">
        <input
          type="checkbox"
          checked={withSame.value}
          onChange={(event) => {
            withSame.value = event.currentTarget.checked;
          }}
        />{' '}
        show those that are the same, too
      </label>
      {shown.length > 0 && (
        <Scroll label="Counters of both">
          <table>
            <thead>
              <tr>
                <th scope="col">Since the machine was built</th>
                <th scope="col" class="number">
                  Left, {left.facts.value?.kernel}
                </th>
                <th scope="col" class="number">
                  Right, {right.facts.value?.kernel}
                </th>
                <th scope="col" class="number">
                  Right − left
                </th>
              </tr>
            </thead>
            {GROUPS.map((group) => {
              const of = shown.filter((row) => row.group === group);
              return of.length === 0 ? null : (
                <tbody key={group}>
                  <tr>
                    <th scope="rowgroup" colSpan={4}>
                      {group}
                    </th>
                  </tr>
                  {of.map((row) => (
                    <CountLine key={row.name} row={row} />
                  ))}
                </tbody>
              );
            })}
          </table>
        </Scroll>
      )}
      <p class="hint">– : this kernel does not count it, or has no such list.</p>
    </section>
  );
}

function CountLine({ row }: { row: Row }) {
  const { name, says, left, right } = row;
  return (
    <tr class={isOther(row) ? 'differs' : ''}>
      <th scope="row" title={says}>
        {name}
      </th>
      <td class="number">{text(left, row.unit)}</td>
      <td class="number">{text(right, row.unit)}</td>
      <td class="number difference">{differenceText(row)}</td>
    </tr>
  );
}

/** By name; lists that only one has stand behind those of the left. */
function joined(left: readonly Count[], right: readonly Count[]): Row[] {
  const theirs = new Map(right.map((count) => [`${count.group} ${count.name}`, count]));
  const mine = new Set(left.map(({ group, name }) => `${group} ${name}`));
  const both = left.map((count): Row => {
    const match = theirs.get(`${count.group} ${count.name}`);
    return { ...count, left: count.value, right: match?.value ?? null };
  });
  const rest = right.filter(({ group, name }) => !mine.has(`${group} ${name}`));
  return [...both, ...rest.map((count): Row => ({ ...count, left: null, right: count.value }))];
}

/** What only one of them counts is no difference, but of lists. */
function isOther({ group, left, right }: Row): boolean {
  if (left === null || right === null) return group === 'Lists now' && (left ?? right ?? 0) > 0;
  return left !== right;
}

function text(value: number | null, unit: Count['unit']): string {
  if (value === null) return '–';
  return unit === 'ns' ? duration(value) : grouped(value);
}

function differenceText({ left, right, unit }: Row): string {
  if (left === null || right === null) return '–';
  if (left === right) return 'same';
  const off = right - left;
  return `${off > 0 ? '▲ +' : '▼ −'}${text(Math.abs(off), unit)}`;
}
