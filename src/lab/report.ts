/**
 * A sweep as one HTML file.
 *
 * Owns      the page.
 * Promises  1. It needs nothing but itself: no script, no font, no host; a policy in its head forbids them.
 *           2. Every text from a recording is escaped.
 *           3. It reads in light and dark, on paper and without colour: marks differ in shape, numbers stand in tables.
 */
import { ACCESS_NS, FAULT_NS, SCAN_NS, ZRAM_IN_NS, ZRAM_OUT_NS } from '../mm/costs.ts';
import { niceTop, shortNumber } from './curve.ts';
import { formatSize } from './options.ts';
import type { PeakBreakdown, RunResult, SweepResult } from './result.ts';
import { refaults } from './terms.ts';

export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (c) => names[c]!);
}

export function reportHtml(sweep: SweepResult): string {
  const { unlimited, runs, advice, options } = sweep;
  const title = `How little memory does ${sweep.recording} need?`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="sub"><code>${escapeHtml(sweep.command)}</code> on Linux ${escapeHtml(sweep.kernel)}: ${unlimited.events.toLocaleString('en')} page events,
replayed under ${runs.length} limits of a memory cgroup; ${formatSize(options.ramBytes)} of memory,
${options.swapBytes === 0 ? 'no swap' : `${formatSize(options.swapBytes)} of swap on ${escapeHtml(options.swapDevice)}`},
swappiness ${options.swappiness}, page-cluster ${options.pageCluster}.</p>

<section class="advice">
<h2>Advice</h2>
<p class="headline">${escapeHtml(`${sweep.recording} ${advice.headline}.`)}</p>
<ul>${advice.reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`).join('\n')}</ul>
</section>

<section>
<h2>What a limit costs</h2>
${chart(
  runs,
  [
    { name: 'swapped in', value: (r) => r.counters['pswpin'] ?? 0 },
    { name: 'swapped out', value: (r) => r.counters['pswpout'] ?? 0 },
    { name: 'major faults', value: (r) => r.counters['pgmajfault'] ?? 0 },
  ],
  'pages',
  advice.smallest_limit?.limit_bytes ?? null,
  advice.knee?.limit_bytes ?? null,
)}
${chart(
  runs,
  [{ name: 'estimated time', value: (r) => r.estimate.seconds }],
  'seconds',
  advice.smallest_limit?.limit_bytes ?? null,
  advice.knee?.limit_bytes ?? null,
)}
<p class="note">Counts are replayed, times are estimated from them: ${ACCESS_NS} ns an access, ${FAULT_NS / 1000} µs a fault, ${ZRAM_IN_NS / 1000} µs a page in
from zram and ${ZRAM_OUT_NS / 1000} µs out, ${SCAN_NS / 1000} µs a page scanned, and what the machine waits for its disk. A refault is a page that was
dropped and needed again.</p>
${limitTable([unlimited, ...runs])}
</section>

<section>
<h2>Where the memory is at the peak</h2>
${breakdown(unlimited.peak)}
</section>
${doubts(unlimited)}
<footer><p>Written by revmap, a simulator of Linux's memory manager. In pages of 4 KiB.</p></footer>
</main>
</body>
</html>
`;
}

export const STYLE = `
:root { color-scheme: light dark; --fg: #1c1e21; --dim: #5b6370; --bg: #ffffff; --card: #f4f6f8; --line: #d4d9df;
  --a: #0b62c4; --b: #b3480a; --c: #1a7f43; --d: #7a3fb0; --e: #8a6d00; --f: #56616f; }
@media (prefers-color-scheme: dark) { :root { --fg: #e6e8eb; --dim: #a0a8b3; --bg: #14171a; --card: #1e2226; --line: #373d44;
  --a: #6cb2ff; --b: #ff9d5c; --c: #63d08e; --d: #c79bf2; --e: #e0c04a; --f: #aab4c0; } }
body { margin: 0; background: var(--bg); color: var(--fg); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.sub, .note, footer { color: var(--dim); } .note, footer { font-size: .875rem; }
.advice { background: var(--card); border-left: 4px solid var(--a); padding: .25rem 1rem .5rem; margin-top: 1.5rem; }
.advice h2 { margin-top: .75rem; } .headline { font-size: 1.1rem; font-weight: 600; margin: .25rem 0; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font: 12px system-ui, sans-serif; }
figcaption { font-size: .875rem; color: var(--dim); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.name { white-space: normal; overflow-wrap: anywhere; } th { color: var(--dim); font-weight: 600; }
tr.bad td:first-child::after { content: " killed"; color: var(--b); }
`;

interface ChartSeries {
  name: string;
  value: (run: RunResult) => number;
}

export const COLOURS: readonly string[] = ['var(--a)', 'var(--b)', 'var(--c)', 'var(--d)', 'var(--e)', 'var(--f)'];
/** A chart, and the room around its axes. */
export const W = 720;
export const H = 260;
export const LEFT = 56;
export const RIGHT = 16;
export const TOP = 16;
export const BOTTOM = 40;

function chart(
  runs: readonly RunResult[],
  series: readonly ChartSeries[],
  unit: string,
  fits: number | null,
  knee: number | null,
): string {
  if (runs.length === 0) return '';
  const limits = runs.map((r) => r.limit_bytes ?? 0);
  const low = Math.min(...limits);
  const span = Math.max(1, Math.max(...limits) - low);
  const top = niceTop(Math.max(...series.flatMap((s) => runs.map((r) => s.value(r)))));
  const x = (bytes: number) => LEFT + 12 + ((bytes - low) / span) * (W - LEFT - RIGHT - 24);
  const y = (value: number) => TOP + (1 - value / top) * (H - TOP - BOTTOM);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(top * share).toFixed(1);
    return `<line x1="${LEFT}" x2="${W - RIGHT}" y1="${at}" y2="${at}" stroke="var(--line)"/><text x="${LEFT - 8}" y="${Number(at) + 4}" text-anchor="end">${shortNumber(top * share)}</text>`;
  });
  let lastLabel = Number.POSITIVE_INFINITY;
  const ticks = [...limits]
    .sort((a, b) => b - a)
    .map((bytes) => {
      const at = x(bytes);
      const tick = `<line x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${H - BOTTOM}" y2="${H - BOTTOM + 4}" stroke="var(--dim)"/>`;
      if (lastLabel - at < 44) return tick;
      lastLabel = at;
      return `${tick}<text x="${at.toFixed(1)}" y="${H - BOTTOM + 18}" text-anchor="middle">${(bytes / 2 ** 20).toFixed(1)}</text>`;
    });
  const marked = [
    { at: fits, name: 'fits' },
    { at: knee, name: 'thrashes below' },
  ].map(({ at, name }) =>
    at === null || at < low || at > low + span
      ? ''
      : `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP}" y2="${H - BOTTOM}" stroke="var(--dim)" stroke-dasharray="3 4"/><text x="${x(at).toFixed(1)}" y="${TOP - 4}" text-anchor="middle">${name}</text>`,
  );
  const lines = series.map((s, i) => {
    const points = runs.map((r) => `${x(r.limit_bytes ?? 0).toFixed(1)},${y(s.value(r)).toFixed(1)}`);
    const dots = runs.map((r) => {
      const said = `${s.name}: ${Number(s.value(r).toFixed(3)).toLocaleString('en')} at ${formatSize(r.limit_bytes ?? 0)}`;
      return mark(i, x(r.limit_bytes ?? 0), y(s.value(r)), said);
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>${dots.join('')}`;
  });
  const legend = series.map(
    (s, i) =>
      `${mark(i, LEFT + 20 + 150 * i, H - 6 - 4, s.name)}<text x="${LEFT + 30 + 150 * i}" y="${H - 6}">${escapeHtml(s.name)}</text>`,
  );
  const label = `${series.map((s) => s.name).join(', ')} in ${unit} over the limit in MiB; the numbers are in the table below`;
  return `<figure><svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${escapeHtml(label)}">${grid.join('')}${ticks.join('')}${marked.join('')}${lines.join('')}${legend.join('')}</svg>
<figcaption>${unit === 'pages' ? 'Pages' : 'Seconds'} over the limit, in MiB.</figcaption></figure>`;
}

/** A circle, a square, a triangle, a diamond, a triangle upside down, a cross. */
export function mark(series: number, x: number, y: number, said: string): string {
  const title = `<title>${escapeHtml(said)}</title>`;
  const at = (dx: number, dy: number) => `${(x + dx).toFixed(1)},${(y + dy).toFixed(1)}`;
  const fill = `fill="${COLOURS[series % COLOURS.length]}"`;
  if (series === 0) return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4" ${fill}>${title}</circle>`;
  if (series === 1)
    return `<polygon points="${at(-4, -4)} ${at(4, -4)} ${at(4, 4)} ${at(-4, 4)}" ${fill}>${title}</polygon>`;
  const points = [
    [at(0, -5), at(5, 4), at(-5, 4)],
    [at(0, -6), at(5, 0), at(0, 6), at(-5, 0)],
    [at(0, 5), at(5, -4), at(-5, -4)],
    [at(-5, -2), at(5, -2), at(5, 2), at(-5, 2)],
  ][(series - 2) % 4]!;
  return `<polygon points="${points.join(' ')}" ${fill}>${title}</polygon>`;
}

function limitTable(runs: readonly RunResult[]): string {
  const columns: [string, (r: RunResult) => string][] = [
    ['limit', (r) => (r.limit_bytes === null ? 'none' : formatSize(r.limit_bytes))],
    ['peak', (r) => formatSize(r.peak_bytes)],
    ...['pgfault', 'pgmajfault', 'pswpin', 'pswpout', 'pgscan', 'pgsteal'].map(
      (name): [string, (r: RunResult) => string] => [name, (r) => r.counters[name]?.toLocaleString('en') ?? '–'],
    ),
    ['refaults', (r) => refaults(r).toLocaleString('en')],
    ['time', (r) => `${r.estimate.seconds.toFixed(3)} s`],
  ];
  const head = columns.map(([name]) => `<th scope="col">${name}</th>`).join('');
  const rows = runs.map(
    (r) =>
      `<tr${r.status === 'oom-killed' ? ' class="bad"' : ''}>${columns.map(([, of]) => `<td>${of(r)}</td>`).join('')}</tr>`,
  );
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

function breakdown(peak: PeakBreakdown): string {
  const kinds: [string, number][] = [
    ['anonymous', peak.anonymous],
    ['files', peak.file],
    ['shared memory', peak.shared_memory],
    ['page tables', peak.page_tables],
    ['kernel stack', peak.kernel_stack],
    ['slab', peak.slab],
    ['other', peak.other],
  ];
  const total = Math.max(
    1,
    kinds.reduce((sum, [, bytes]) => sum + bytes, 0),
  );
  const fills = ['var(--a)', 'var(--c)', 'var(--d)', 'var(--b)', 'var(--e)', 'var(--f)', 'var(--line)'];
  let at = 0;
  const bars = kinds.map(([name, bytes], i) => {
    const wide = (bytes / total) * W;
    const bar = `<rect x="${at.toFixed(1)}" y="0" width="${wide.toFixed(1)}" height="28" fill="${fills[i]}"><title>${name}: ${formatSize(bytes)}</title></rect>`;
    at += wide;
    return bar;
  });
  const share = (bytes: number) => `${((100 * bytes) / total).toFixed(1)} %`;
  const kindRows = kinds
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `<tr><td>${name}</td><td>${formatSize(bytes)}</td><td>${share(bytes)}</td></tr>`);
  const shown = peak.mappings.slice(0, 20);
  const mappingRows = shown.map(
    (m) =>
      `<tr><td class="name">${escapeHtml(m.name)}</td><td>${m.kind.replace('_', ' ')}</td><td>${formatSize(m.bytes)}</td><td>${share(m.bytes)}</td></tr>`,
  );
  const rest = peak.mappings.length - shown.length;
  return `<figure><svg viewBox="0 0 ${W} 28" role="img" aria-label="shares of the peak by kind; the numbers are in the table below">${bars.join('')}</svg></figure>
<div class="scroll"><table><thead><tr><th scope="col">kind</th><th scope="col">memory</th><th scope="col">share</th></tr></thead><tbody>${kindRows.join('\n')}</tbody></table></div>
<h2>By mapping</h2>
<div class="scroll"><table><thead><tr><th scope="col">mapping</th><th scope="col">kind</th><th scope="col">memory</th><th scope="col">share</th></tr></thead><tbody>${mappingRows.join('\n')}</tbody></table></div>
${rest > 0 ? `<p class="note">and ${rest} smaller ones.</p>` : ''}`;
}

/** What a careful reader should know about the replay. */
function doubts(run: RunResult): string {
  const said: string[] = [];
  if (run.syscalls_different > 0) {
    const first = run.differences.map((d) => `${d.call} gave ${d.here}, recorded was ${d.recorded}`).join('; ');
    said.push(
      `${run.syscalls_different} of ${run.syscalls} system calls gave another result than when it was recorded: ${first}.`,
    );
  }
  const unknown = Object.entries(run.syscalls_unknown);
  if (unknown.length > 0) said.push(`Not replayed: ${unknown.map(([name, n]) => `${name} (${n})`).join(', ')}.`);
  if (run.unseen_pages > 0) {
    said.push(
      `${run.unseen_pages} pages were used that nothing in the recording maps; anonymous memory was put there.`,
    );
  }
  if (run.refused_accesses > 0) said.push(`${run.refused_accesses} accesses met a signal and were left out.`);
  if (run.processes_unstarted > 0)
    said.push(`${run.processes_unstarted} recorded processes were never forked, and not replayed.`);
  if (said.length === 0) return '';
  return `<section><h2>What to know about this replay</h2><ul>${said.map((text) => `<li>${escapeHtml(text)}</li>`).join('\n')}</ul></section>`;
}
