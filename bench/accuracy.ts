/**
 * The engine against what a real kernel did: oracle/truth, rows of mode z-n-3 (Debian's 6.1 in an emulator, 384 MiB, zram,
 * classic LRU, swappiness 60, page-cluster 3, cgroup v2).
 *
 * A limit was measured several times; the engine is held to the range of these. Limits that are the same number of pages are
 * the same limit. The rule: zipf's swap traffic within 5 % or 60 pages and its pgscan within 10 % (all within 10 % at 90 % of
 * the peak); sqlite's within the range widened by 10 % or 100 pages.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { runRecording } from '../src/lab/run.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

const PAGE_KIB = 4;
const COUNTERS = [
  { name: 'pswpin', column: 'pswpin' },
  { name: 'pswpout', column: 'pswpout' },
  { name: 'pgscan', column: 'm.pgscan' },
] as const;

/** How far outside the measured range the engine may be: the larger of a share and a number of pages. */
function slackOf(program: string, shareOfPeak: number, counter: string): { share: number; pages: number } {
  if (program === 'sqlite') return { share: 0.1, pages: 100 };
  if (counter === 'pgscan') return { share: 0.1, pages: 0 };
  return { share: shareOfPeak > 0.85 ? 0.1 : 0.05, pages: 60 };
}

function here(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

type Row = Record<string, string>;

/** Rows of the mode, by the limit in pages, the widest first. */
function truthOf(program: string): [pages: number, rows: Row[]][] {
  const [head = '', ...lines] = readFileSync(here(`oracle/truth/${program}.truth.tsv`), 'utf8')
    .trimEnd()
    .split('\n');
  const names = head.split('\t');
  const byPages = new Map<number, Row[]>();
  for (const line of lines) {
    const row: Row = Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value]));
    if (row['mode'] !== 'z-n-3') continue;
    const pages = Math.floor(Number(row['limit_kib']) / PAGE_KIB);
    byPages.set(pages, [...(byPages.get(pages) ?? []), row]);
  }
  return [...byPages].sort((a, b) => b[0] - a[0]);
}

let within = 0;
let all = 0;
for (const program of ['zipf', 'sqlite']) {
  const recording = await openRecording(here(`examples/${program}.rvm.gz`));
  const survey = surveyRecording(recording);
  const truth = truthOf(program);
  // The widest measured limit is 90 % of the peak.
  const peakPages = truth[0]![0] / 0.9;
  console.log(`${program} on 6.1: limit, counter, measured (runs), engine, off the range by, allowed`);
  for (const [pages, rows] of truth) {
    const options = { ...MACHINE_DEFAULTS, kernel: '6.1', limitBytes: pages * PAGE_KIB * 1024 };
    const { counters, status } = runRecording(recording, survey, options);
    for (const { name, column } of COUNTERS) {
      const measured = rows.map((row) => Number(row[column]));
      const low = Math.min(...measured);
      const high = Math.max(...measured);
      const engine = counters[name] ?? 0;
      const off = engine < low ? engine - low : Math.max(0, engine - high);
      const end = off < 0 ? low : high;
      const slack = slackOf(program, pages / peakPages, name);
      const allowed = Math.max(slack.pages, slack.share * end);
      const good = Math.abs(off) <= allowed && status === 'exited';
      all += 1;
      if (good) within += 1;
      const cells = [
        `${pages * PAGE_KIB} KiB`.padStart(10),
        name.padEnd(8),
        `${low === high ? low : `${low}–${high}`} (${rows.length})`.padStart(18),
        String(engine).padStart(7),
        `${off}${off === 0 || end === 0 ? '' : ` (${((100 * off) / end).toFixed(1)} %)`}`.padStart(16),
        `±${Math.floor(allowed)}`.padStart(7),
        good ? 'within' : 'OUTSIDE',
      ];
      console.log(cells.join('  '));
    }
  }
  closeRecording(recording);
}
console.log(`${within} of ${all} within`);
