/**
 * A sweep as one HTML file.
 *
 * Owns      what the report says, in which order: the answer, the curves, other settings, where the memory is, how far to trust it, how
 *           to do it again.
 * Promises  1. Those of html.ts: it needs nothing but itself, reads on a phone, on paper and without colour.
 *           2. Every text from a recording is escaped. Every number of a plot stands in a table.
 */
import { ACCESS_NS, FAULT_NS, SCAN_NS, ZRAM_IN_NS, ZRAM_OUT_NS } from '../../mm/costs.ts';
import { accountOf, chargeName } from '../account.ts';
import { uncertainty } from '../doubts.ts';
import { formatSize, machineText } from '../options.ts';
import type {
  AlternativeRun,
  Alternatives,
  LimitFound,
  Recorded,
  RunResult,
  SweepResult,
  TruthBeside,
} from '../result.ts';
import {
  limitOf,
  MORE_FAULTS_LEAST,
  MORE_FAULTS_SHARE,
  MORE_TIME_SHARE,
  majorFaults,
  refaults,
  THRASHES_AT,
} from '../terms.ts';
import { smallestText } from '../truth.ts';
import { escapeHtml } from './escape.ts';
import { figure } from './figure.ts';
import { htmlList, htmlPage, htmlTable } from './html.ts';
import { WIDE } from './plot.ts';
import { plotsOf } from './plots.ts';

const MiB = 2 ** 20;
const MOST_MAPPINGS = 25;

export interface Provenance {
  /** The command line that makes this report again. */
  commandLine: string;
  /** Of revmap. */
  version: string;
}

export function reportHtml(sweep: SweepResult, options: Provenance): string {
  const title = `How little memory does ${sweep.recording} need?`;
  const { advice, unlimited } = sweep;
  const start = (advice.smallest_limit?.limit_bytes ?? unlimited.peak_bytes) / MiB;
  const figures = plotsOf(sweep).map((plot) => figure(plot, start, 'limits', 'numbers'));
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="sub"><code>${escapeHtml(sweep.command)}</code></p>
<p class="sub">Linux ${escapeHtml(sweep.kernel)}, ${escapeHtml(machineText(sweep.options))}; ${grouped(unlimited.events)} page events of
${grouped(unlimited.raw_accesses)} accesses, replayed under ${sweep.runs.length + sweep.refined.length} limits.</p>
${answer(sweep)}
${figures.length === 0 ? '' : `<section><h2>What a limit costs</h2>${figures.join('\n')}</section>`}
<section><h2>Why</h2>${htmlList(advice.reasons)}${namedLimits(sweep)}${terms()}</section>
${sweep.alternatives === null ? '' : otherSettings(sweep.alternatives)}
${sweep.truth === null ? '' : truthSection(sweep.truth)}
${memory(unlimited, sweep.recorded)}
<section><h2>How far to trust it</h2>${htmlList(uncertainty(sweep))}</section>
${numbers(sweep)}
${again(options)}`;
  return htmlPage({ title, body });
}

function answer({ recording, advice, unlimited }: SweepResult): string {
  const recommended = advice.recommended_limit_bytes;
  const big = recommended === null ? 'No limit can be recommended' : `Set ${formatSize(recommended)}`;
  const tile = (name: string, limitBytes: number, small: string) =>
    `<div><dt>${name}</dt><dd>${formatSize(limitBytes)}<small>${small}</small></dd></div>`;
  const found = (name: string, limit: LimitFound | null) =>
    limit === null
      ? ''
      : tile(name, limit.limit_bytes, `${grouped(limit.major_faults)} major faults, ${timesText(limit)}`);
  return `<section class="answer" aria-label="the answer">
<p class="big">${big}</p>
<p>${escapeHtml(`${recording} ${advice.headline}.`)}</p>
<dl class="tiles">
${tile('peak without a limit', unlimited.peak_bytes, `${grouped(majorFaults(unlimited))} major faults`)}
${found('smallest limit', advice.smallest_limit)}
${found('knee of the curve', advice.knee)}
${found('thrashing point', advice.thrashing_point)}
</dl>
</section>`;
}

function namedLimits({ advice }: SweepResult): string {
  const rows: string[][] = [];
  const add = (name: string, found: LimitFound | null) => {
    if (found === null) return;
    const nearest = found.fails_at_bytes === null ? '–' : formatSize(found.fails_at_bytes);
    const cells = [found.refaulted_pages, found.swapped_in_pages, found.swapped_out_pages].map(grouped);
    rows.push([
      name,
      formatSize(found.limit_bytes),
      nearest,
      grouped(found.major_faults),
      ...cells,
      timesText(found),
      found.by_bisection ? 'bisection' : 'asked for',
    ]);
  };
  const named: [string, LimitFound | null][] = [
    ['smallest limit', advice.smallest_limit],
    ['same time', advice.same_time_limit],
    ['knee', advice.knee],
    ['thrashing point', advice.thrashing_point],
  ];
  named.sort(([, a], [, b]) => (b?.limit_bytes ?? 0) - (a?.limit_bytes ?? 0));
  for (const [name, found] of named) add(name, found);
  if (rows.length === 0) return '';
  const head = [
    '',
    'limit',
    'no longer in',
    'major faults',
    'came back',
    'swapped in',
    'swapped out',
    'time',
    'found by',
  ];
  return htmlTable(head, rows, 'The limits that have names');
}

function terms(): string {
  const list: [string, string][] = [
    [
      'Smallest limit',
      `the narrowest limit at which, and at every wider one, there are at most ${100 * MORE_FAULTS_SHARE} % more major faults than without a limit, or ${MORE_FAULTS_LEAST} more if that is more: the kernel takes pages back in clusters of ${MORE_FAULTS_LEAST}, so fewer are less than one of its decisions.`,
    ],
    [
      'Same time',
      `the same with the estimated time, at most ${100 * MORE_TIME_SHARE} % more. It sees what no major fault counts: pages that read(2) fetches again.`,
    ],
    [
      'Knee',
      'the point of the curve of pages that came back that lies farthest below the straight line between its ends, the peak and the thrashing point (Kneedle).',
    ],
    [
      'Thrashing point',
      `the widest limit at which the program takes ${THRASHES_AT} times its time or is killed: from there on it spends more time on having its memory moved than on its own work.`,
    ],
    ['Came back', 'pages that were evicted and needed again (refaults), from swap or from a file.'],
  ];
  const items = list.map(([term, text]) => `<dt><strong>${term}</strong></dt><dd>${text}</dd>`);
  return `<details><summary>What the words mean</summary><dl>${items.join('')}</dl></details>`;
}

function truthSection({ file, mode, measured_on, points, judged, within, smallest_limit }: TruthBeside): string {
  const rows = points.flatMap(({ limit_bytes, runs, exited_runs, predicted_status, counters }) =>
    counters.map(({ name, low, high, predicted, off, allowed, within: good }) => [
      limit_bytes === null ? 'none' : formatSize(limit_bytes),
      name,
      `${low === high ? grouped(low) : `${grouped(low)}–${grouped(high)}`} (${runs})`,
      predicted_status === 'exited' ? grouped(predicted) : '<span class="bad">killed</span>',
      off === 0 ? '0' : `${off > 0 ? '+' : '−'}${grouped(Math.abs(off))}`,
      allowed === null ? '–' : `±${grouped(allowed)}`,
      verdictText(allowed, good && exited_runs > 0 === (predicted_status === 'exited')),
    ]),
  );
  const head = ['limit', 'counter', 'measured (runs)', 'predicted', 'off the range', 'allowed', ''];
  return `<section><h2>What a real kernel did</h2>
<p>${within} of ${judged} counts are as near to the measured range as the rule asks. ${escapeHtml(smallestText(smallest_limit))}</p>
<p class="note">Measured on Linux ${escapeHtml(measured_on.join(', '))}, mode ${escapeHtml(mode)}, from <code>${escapeHtml(file)}</code>. The rule: a range over the runs, widened by 5 % or 60 pages
for swap traffic of one process with anonymous memory only, by 10 % or 100 pages for any other (docs/measure.md).</p>
${htmlTable(head, rows, 'Measured and predicted, limit by limit')}
</section>`;
}

function verdictText(allowed: number | null, good: boolean): string {
  if (allowed === null) return 'no rule';
  return good ? '<span class="good">within</span>' : '<span class="bad">outside</span>';
}

function otherSettings({ settings, recommended_limit_bytes, tighter_limit_bytes, findings }: Alternatives): string {
  const cells = (run: AlternativeRun) => [
    run.status === 'oom-killed' ? '<span class="bad">killed</span>' : timesText(run),
    groupedOrNone(run.major_faults),
    groupedOrNone(run.refaulted_pages),
  ];
  const rows = settings.map(({ name, at_recommended, at_tighter }, i) => [
    i === 0 ? `<strong>${escapeHtml(name)}</strong>` : escapeHtml(name),
    ...cells(at_recommended),
    ...cells(at_tighter),
  ]);
  const columns = (limitBytes: number) =>
    ['time', 'major faults', 'came back'].map((name) => `${name}<br>in ${formatSize(limitBytes)}`);
  return `<section><h2>What other settings would change</h2>
${htmlList(findings)}
${htmlTable(['setting', ...columns(recommended_limit_bytes), ...columns(tighter_limit_bytes)], rows, 'The same program with one thing set otherwise; the first row is what was asked for')}
<p class="note">Two replays for each row. Where – stands, none was needed: what may not be swapped is more than the limit.</p>
</section>`;
}

function memory(unlimited: RunResult, recorded: Recorded | null): string {
  const { peak } = unlimited;
  const kinds: [string, number][] = [
    ['anonymous', peak.anonymous],
    ['files', peak.file],
    ['shared memory', peak.shared_memory],
    ['page tables', peak.page_tables],
    ['kernel stacks', peak.kernel_stack],
    ['slab', peak.slab],
    ['charged ahead', peak.other],
  ];
  const total = Math.max(1, peak.bytes);
  const share = (bytes: number) => `${((100 * bytes) / total).toFixed(1)} %`;
  let at = 0;
  const bars: string[] = [];
  const kindRows: string[][] = [];
  for (const [i, [name, bytes]] of kinds.entries()) {
    if (bytes <= 0) continue;
    const wide = (bytes / total) * WIDE.width;
    bars.push(`<rect class="c${i}" x="${at.toFixed(1)}" y="0" width="${wide.toFixed(1)}" height="30"/>`);
    kindRows.push([
      `<span class="swatch c${i}" style="color: var(--c${i})"></span>${name}`,
      formatSize(bytes),
      share(bytes),
    ]);
    at += wide;
  }
  const account = accountOf(unlimited).map(({ what, bytes, in_rss, why }) => [
    escapeHtml(what),
    `${bytes < 0 ? '−' : '+'} ${formatSize(Math.abs(bytes))}`,
    in_rss ? 'yes' : 'no',
    `<span class="text">${escapeHtml(why)}</span>`,
  ]);
  account.push([`<strong>${chargeName(unlimited.limited_by)}</strong>`, `= ${formatSize(peak.bytes)}`, '', '']);
  const shown = peak.mappings.slice(0, MOST_MAPPINGS);
  const mappings = shown.map(({ name, kind, pid, bytes, mapped_bytes }) => [
    `<span class="name">${escapeHtml(name)}</span>`,
    kind === 'file' ? 'file' : kind.replace('_', ' '),
    kind === 'anonymous' ? String(pid) : 'all',
    formatSize(bytes),
    kind === 'anonymous' ? '–' : formatSize(bytes - mapped_bytes),
    share(bytes),
  ]);
  const rest = peak.mappings.length - shown.length;
  return `<section><h2>Where the memory is at the peak</h2>
<figure class="bar"><svg viewBox="0 0 ${WIDE.width} 30" preserveAspectRatio="none" style="height: 30px" role="img" aria-label="shares of the peak by kind; the numbers are in the table below">${bars.join('')}</svg></figure>
${htmlTable(['kind', 'memory', 'share'], kindRows, 'By kind')}
<h3>Why RSS, page cache and the limit disagree</h3>
${htmlTable(['', 'memory', 'in RSS', '<span class="text">why</span>'], account, 'From what the processes show to what the limit holds')}
${recorded === null ? '' : workingSet(recorded)}
<h3>By mapping</h3>
${htmlTable(['mapping', 'kind', 'process', 'memory', 'not mapped', 'share'], mappings, 'The largest first; a file is charged once, whoever maps it')}
${rest > 0 ? `<p class="note">And ${grouped(rest)} smaller ones.</p>` : ''}
</section>`;
}

function workingSet({ working_set, touched_bytes }: Recorded): string {
  const rows = working_set.map(({ accesses, seconds, mean_bytes, most_bytes }) => [
    `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`,
    grouped(accesses),
    formatSize(mean_bytes),
    formatSize(most_bytes),
  ]);
  return `<h3>Working set</h3>
<p>${formatSize(touched_bytes)} were touched in all. What is in use at a time is less: that is why a limit below the peak can do.</p>
${htmlTable(['window', 'accesses', 'on average', 'at most'], rows, 'Memory touched in a window, over windows side by side')}`;
}

/** Every replay under a limit on the machine that was asked for. */
function numbers({ unlimited, runs, refined }: SweepResult): string {
  const all = [unlimited, ...[...runs, ...refined].sort((a, b) => limitOf(b) - limitOf(a))];
  const counter = (run: RunResult, name: string) => groupedOrNone(run.counters[name] ?? null);
  const rows = all.map((run) => [
    run.limit_bytes === null ? 'none' : formatSize(run.limit_bytes),
    run.limit_bytes === null || runs.includes(run) ? 'asked for' : 'bisection',
    formatSize(run.peak_bytes),
    ...['pgfault', 'pgmajfault', 'pswpin', 'pswpout', 'pgscan', 'pgsteal'].map((name) => counter(run, name)),
    grouped(refaults(run)),
    run.status === 'oom-killed' ? '<span class="bad">killed</span>' : `${run.estimate.seconds.toFixed(3)} s`,
  ]);
  const head = [
    'limit',
    'why',
    'peak',
    'pgfault',
    'pgmajfault',
    'pswpin',
    'pswpout',
    'pgscan',
    'pgsteal',
    'came back',
    'time',
  ];
  return `<section id="numbers"><h2>Every limit that was replayed</h2>
${htmlTable(head, rows, 'Counters as the kernel names them')}
<p class="note">Counts are replayed, times are estimated from them: ${ACCESS_NS} ns an access, ${FAULT_NS / 1000} µs a fault, ${ZRAM_IN_NS / 1000} µs a page in
from zram and ${ZRAM_OUT_NS / 1000} µs out, ${SCAN_NS / 1000} µs a page scanned, and what the machine waits for its disk.</p>
</section>`;
}

export function again({ commandLine, version }: Provenance): string {
  return `<section><h2>Do it again</h2>
<pre><code>${escapeHtml(commandLine)}</code></pre>
<p class="note">revmap ${escapeHtml(version)}. The same recording and options give the same numbers.</p>
</section>`;
}

function timesText({ status, times_the_time }: Pick<LimitFound, 'status'> & { times_the_time: number | null }): string {
  if (status === 'oom-killed') return 'killed';
  return times_the_time === null ? '–' : `${times_the_time.toFixed(2)}×`;
}

function grouped(n: number): string {
  return n.toLocaleString('en');
}

function groupedOrNone(n: number | null): string {
  return n === null ? '–' : grouped(n);
}
