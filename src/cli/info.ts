/** `revmap info FILE`: what is in a recording, without running it. */
import type { Command } from 'commander';
import { type InfoMapping, type InfoProcess, type InfoResult, infoOf, type PictureRow } from '../lab/info/info.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import type { RecordingHeader } from '../trace/recording.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { FILE_IS, type FileFlags, formatOption } from './arguments.ts';
import { columns, grouped, Progress, plural, print, printJson, table } from './output.ts';

interface InfoFlags extends FileFlags {
  json?: boolean;
}

const PAGE = 4096;
const ROWS = 12;
const PROCESS_ROWS = 40;
const NAME_CHARACTERS = 48;
/** Narrower than this, the picture is without its names. */
const NARROW = 70;
const WIDE = 160;
const SHADES = [
  [0.95, '█'],
  [0.6, '▓'],
  [0.3, '▒'],
  [0.1, '░'],
  [0, '·'],
] as const;
const BARS = '▁▂▃▄▅▆▇█';

export function addInfo(program: Command): void {
  program
    .command('info')
    .description('what is in a recording: processes, mappings, pages, working sets, a picture')
    .argument('<file>', FILE_IS)
    .addOption(formatOption())
    .option('--json', 'the answer as JSON')
    .action(async (file: string, flags: InfoFlags) => {
      const recording = await openRecording(file, flags.format ?? null);
      const bytes = Math.max(
        1,
        recording.header.processes.reduce((sum, p) => sum + p.bytes, 0),
      );
      const progress = new Progress();
      // A page event takes a byte at least, so this never says too little is left.
      const info = infoOf(recording, (events) => progress.show(Math.min(1, events / bytes), recording.header.name));
      progress.done();
      closeRecording(recording);
      if (flags.json === true) printJson(info);
      else print(describeInfo(info, columns(100)));
    });
}

export function describeInfo(info: InfoResult, width: number): string {
  const { pages } = info;
  const calls = Object.entries(info.syscalls_by_name);
  const more = calls.length > ROWS ? `, ${calls.length - ROWS} more` : '';
  // A trace of requests has no accesses of its own: its calls are what it has.
  const recorded = info.events === 0 ? '' : `, ${grouped(info.events)} of them recorded (window ${info.window})`;
  const lines = [
    `${printable(info.name)}: ${printable(info.recorder) || 'an unknown recorder'}, format ${info.format}`,
    ...(info.command === '' ? [] : [`command: ${printable(info.command)}`]),
    `${plural(info.raw_accesses, 'access', 'accesses')}${recorded}; ${plural(info.syscalls, 'system call')}`,
    `${plural(pages.total, 'page')} touched (${formatSize(pages.total * PAGE)}): ${grouped(pages.own)} of processes, ${grouped(pages.file)} of files`,
    '',
    table(['process', 'threads', 'from', 'to', 'accesses', 'calls', 'pages'], processRows(info.processes)).trimEnd(),
    '',
    table(['mapping', 'kind', 'mapped at most', 'pages', 'touched'], mappingRows(info.mappings)).trimEnd(),
    ...(info.mappings.length > ROWS ? [`and ${plural(info.mappings.length - ROWS, 'smaller one')}`] : []),
    ...(calls.length === 0
      ? []
      : [
          '',
          `calls: ${calls
            .slice(0, ROWS)
            .map(([name, n]) => `${name} ${grouped(n)}`)
            .join(', ')}${more}`,
        ]),
    '',
    ...workingSetLines(info, width),
    ...pictureLines(info.picture, info.working_set.interval, width),
    ...unseenText(info.cut_short, info.unseen),
  ];
  return lines.join('\n');
}

/** A tree: children under their parents, in the order in which they began. */
function processRows(processes: readonly InfoProcess[]): string[][] {
  const rows: string[][] = [];
  const children = new Map<number, InfoProcess[]>();
  for (const p of processes) children.set(p.parent, [...(children.get(p.parent) ?? []), p]);
  const waiting = (children.get(-1) ?? []).map((p) => ({ p, depth: 0 })).reverse();
  for (let next = waiting.pop(); next !== undefined && rows.length < PROCESS_ROWS; next = waiting.pop()) {
    const { p, depth } = next;
    const name = `${'  '.repeat(Math.min(depth, 10))}${p.pid}`;
    rows.push([name, String(p.threads), ...[p.from, p.to, p.raw_accesses, p.syscalls, p.pages].map(grouped)]);
    for (const child of (children.get(p.pid) ?? []).reverse()) waiting.push({ p: child, depth: depth + 1 });
  }
  if (processes.length > rows.length)
    rows.push([`and ${grouped(processes.length - rows.length)} more`, '', '', '', '', '', '']);
  return rows;
}

function mappingRows(mappings: readonly InfoMapping[]): string[][] {
  return mappings.slice(0, ROWS).map(({ name, kind, most_bytes, pages }) => {
    const text = printable(name);
    const short = text.length > NAME_CHARACTERS ? `…${text.slice(1 - NAME_CHARACTERS)}` : text;
    return [short, kind, formatSize(most_bytes), grouped(pages), formatSize(pages * PAGE)];
  });
}

function workingSetLines({ working_set }: InfoResult, width: number): string[] {
  const { interval, pages, windows } = working_set;
  const most = Math.max(1, ...pages);
  const cells = squeezed(pages, Math.max(16, Math.min(width, WIDE) - 2), (a, b) => Math.max(a, b));
  const bars = cells.map((n) => (n === 0 ? ' ' : BARS[Math.min(7, Math.floor((8 * n) / most))]));
  const shown = windows.filter((w, i) => i % 2 === 0 || w === windows.at(-1));
  return [
    `working set: pages touched in each ${plural(interval, 'access', 'accesses')}, ${grouped(most)} at most`,
    bars.join(''),
    table(
      ['window (accesses)', 'pages on average', 'at most', 'memory'],
      shown.map(({ length, mean, most }) => [
        grouped(length),
        mean < 10 ? mean.toFixed(1) : grouped(Math.round(mean)),
        grouped(most),
        formatSize(most * PAGE),
      ]),
    ).trimEnd(),
  ];
}

/** Addresses down, time to the right. Says what it shows without colour; without room it leaves out names, and then columns. */
function pictureLines(picture: readonly PictureRow[], interval: number, width: number): string[] {
  const first = picture[0];
  if (first === undefined) return [];
  const isFile = first.pid < 0;
  const label = (row: PictureRow) => row.from.toString(16).padStart(12);
  const names = picture.map((row, i) => (i > 0 && picture[i - 1]!.name === row.name ? '' : printable(row.name)));
  const nameWidth = width < NARROW ? 0 : Math.min(24, Math.max(...names.map((name) => name.length)));
  const room = Math.max(8, Math.min(width, WIDE) - 12 - 3 - (nameWidth > 0 ? nameWidth + 1 : 0));
  const columns = Math.min(room, first.shares.length);
  const of = isFile ? `a file, ${printable(first.name)}` : `process ${first.pid}`;
  const lines = [
    '',
    `${of}: memory (hexadecimal) and time (${plural(interval * Math.ceil(first.shares.length / columns), 'access', 'accesses')} a column); · ░ ▒ ▓ █ touched a little … all`,
  ];
  for (const [i, row] of picture.entries()) {
    const cells = squeezed(row.shares, columns, (a, b) => Math.max(a, b))
      .map(shade)
      .join('');
    const name = names[i]!.length > nameWidth ? `…${names[i]!.slice(1 - nameWidth)}` : names[i]!;
    lines.push(nameWidth > 0 ? `${label(row)} │${cells}│ ${name}`.trimEnd() : `${label(row)} │${cells}│`);
  }
  return lines;
}

/** Joins neighbours until there are `most` at most. */
function squeezed(values: readonly number[], most: number, join: (a: number, b: number) => number): number[] {
  const each = Math.ceil(values.length / most);
  const made: number[] = [];
  for (let i = 0; i < values.length; i += each) made.push(values.slice(i, i + each).reduce(join));
  return made;
}

function shade(share: number): string {
  if (share === 0) return ' ';
  return SHADES.find(([from]) => share >= from)![1];
}

/** What the recorder said that it did not see. */
export function unseenText(cutShort: string, unseen: readonly string[]): string[] {
  const lines: string[] = [];
  if (cutShort !== '') lines.push(`cut short: it ends before the program did (${printable(cutShort)})`);
  if (unseen.length > 0) lines.push('not in this recording:', ...unseen.map((text) => `  ${printable(text)}`));
  return lines.length === 0 ? [] : ['', ...lines];
}

export function unseenOf({ ordered }: RecordingHeader): string[] {
  return unseenText(ordered?.cutShort ?? '', ordered?.unseen ?? []);
}
