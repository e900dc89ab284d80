/** Zones: a bar of what is free against the watermarks, and the pieces that free memory lies in. */

import type { ZoneFacts, ZonesAnswer } from '../../../src/view/frames_zones.ts';
import { grouped, pagesAsSize } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

/** The bar ends at so many times the high mark: what is free beyond does not change what the kernel does. */
const BAR_HIGHS = 2;

export function Zones({ answer }: { answer: ZonesAnswer }) {
  if (answer.zones.length === 0) {
    return <p class="empty">This kernel shows no zones (/proc/zoneinfo), so there are no watermarks to draw.</p>;
  }
  return (
    <div class="frames-zones">
      <p class="note">{answer.says}</p>
      {answer.zones.map((zone) => (
        <ZoneCard key={`${zone.node} ${zone.name}`} zone={zone} />
      ))}
    </div>
  );
}

function ZoneCard({ zone }: { zone: ZoneFacts }) {
  const { name, node, startPfn, spanned, managed, free, cpuPages, lists, reserve, boost } = zone;
  const last = startPfn + spanned - 1;
  const facts: [string, string][] = [
    ['frames', `${grouped(startPfn)} to ${grouped(last)}, ${pagesAsSize(spanned)}`],
    ...(managed === null ? [] : [['managed', grouped(managed)] as [string, string]]),
    ['marks: min, low, high', `${grouped(zone.min)}, ${grouped(zone.low)}, ${grouped(zone.high)}`],
    ...(boost === null || boost === 0 ? [] : [['boost', `+${grouped(boost)} to each`] as [string, string]]),
    ...(cpuPages === null ? [] : [['free on CPUs’ lists', grouped(cpuPages)] as [string, string]]),
    ...(reserve === null || reserve === 0
      ? []
      : [['kept from higher zones', `up to ${grouped(reserve)}`] as [string, string]]),
    ...(lists.length === 0 ? [] : [['lists', listsText(lists)] as [string, string]]),
  ];
  return (
    <section class="zone" aria-label={`Zone ${name}`}>
      <h3>
        {name}
        {node > 0 ? `, node ${node}` : ''}{' '}
        <span class="note">
          {grouped(free)} free: {stateOf(zone)}
        </span>
      </h3>
      <Bar zone={zone} />
      <dl>
        {facts.map(([what, value]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {zone.blocks !== null && <Blocks zone={zone} blocks={zone.blocks} />}
    </section>
  );
}

/** Those with pages on them. */
function listsText(lists: ZoneFacts['lists']): string {
  const full = lists.filter(({ pages }) => pages > 0).map(({ name, pages }) => `${name} ${grouped(pages)}`);
  return full.length === 0 ? 'empty' : full.join(', ');
}

function stateOf({ free, min, low, high, boost }: ZoneFacts): string {
  const more = boost ?? 0;
  if (free <= min + more) return 'at or below min';
  if (free <= low + more) return 'below low';
  return free <= high + more ? 'between low and high' : 'above high';
}

function Bar({ zone }: { zone: ZoneFacts }) {
  const { min, low, high, boost, free, name } = zone;
  const more = boost ?? 0;
  const end = Math.max(1, (high + more) * BAR_HIGHS);
  const at = (pages: number) => (100 * Math.min(pages, end)) / end;
  const marks: [string, number][] = [
    ['min', min + more],
    ['low', low + more],
    ['high', high + more],
  ];
  const label = `Zone ${name}: ${free} pages free; ${marks.map(([mark, pages]) => `${mark} ${pages}`).join(', ')}`;
  return (
    <svg class="zone-bar" viewBox="0 0 100 14" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="ground" x="0" y="2" width="100" height="10" />
      <rect class="free" x="0" y="2" width={at(free)} height="10" />
      {marks.map(([mark, pages]) => (
        <line key={mark} class={`mark ${mark}`} x1={at(pages)} x2={at(pages)} y1="0" y2="14" />
      ))}
    </svg>
  );
}

function Blocks({ zone, blocks }: { zone: ZoneFacts; blocks: readonly number[] }) {
  const rows = [
    { name: 'all', blocks },
    ...(zone.types ?? [])
      .filter((type) => type.blocks.some((n) => n > 0))
      .map(({ type, blocks: mine }) => ({ name: type, blocks: mine })),
  ];
  return (
    <Scroll label={`Free blocks of zone ${zone.name} by order`}>
      <table class="blocks">
        <caption>Free blocks by order (2ⁿ pages)</caption>
        <thead>
          <tr>
            <th scope="col">Type</th>
            {blocks.map((_, order) => (
              <th scope="col" class="number" key={order}>
                {order}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <th scope="row">{row.name}</th>
              {row.blocks.map((n, order) => (
                <td class="number" key={order}>
                  {n === 0 ? '·' : grouped(n)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
