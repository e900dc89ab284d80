/**
 * What a command writes, and where: results on stdout, chatter on stderr.
 *
 * Promises  Progress is drawn only on a terminal, and is gone when the result comes.
 */
import { stripVTControlCharacters } from 'node:util';
import { load, mayBeTerminal, pc, write } from './terminal.ts';

export function print(text: string): void {
  write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** How wide the terminal is; `fallback` in a pipe, and where it does not know: a serial console says 0. */
export function columns(fallback: number, told = mayBeTerminal() ? process.stdout.columns : undefined): number {
  return told || fallback;
}

/** Rows under a head; numbers to the right. No colour where there is none. */
export function table(head: string[], rows: string[][]): string {
  const Table = load('cli-table3') as typeof import('cli-table3');
  const drawn = new Table({
    head: head.map((name) => pc.bold(name)),
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: ' ',
    },
  });
  drawn.push(...rows);
  return `${drawn.toString()}\n`;
}

/** A bar on stderr. */
export class Progress {
  private drawn = 0;
  private lastDraw = 0;

  show(share: number, text: string): void {
    const full = Math.round(20 * share);
    const percent = String(Math.floor(100 * share)).padStart(3);
    this.draw(`${'━'.repeat(full)}${pc.dim('─'.repeat(20 - full))} ${percent} %  ${text}`, share >= 1);
  }

  /** Of what has no known end. */
  say(text: string): void {
    this.draw(text, false);
  }

  private draw(line: string, isLast: boolean): void {
    if (!process.stderr.isTTY) return;
    const now = Date.now();
    if (now - this.lastDraw < 80 && !isLast) return;
    this.lastDraw = now;
    process.stderr.write(`\r\x1b[K${line}`);
    this.drawn += 1;
  }

  done(): void {
    if (this.drawn > 0) process.stderr.write('\r\x1b[K');
    this.drawn = 0;
  }
}

/** `1,234,567`. Whole numbers without the tables of Intl, whose loading takes longer than a small answer. */
export function grouped(n: number): string {
  return Number.isSafeInteger(n) ? String(n).replace(/\B(?=(\d{3})+$)/g, ',') : n.toLocaleString('en');
}

/** `–` for a number that nobody knows. */
export function groupedOrNone(n: number | null): string {
  return n === null ? '–' : grouped(n);
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${grouped(n)} ${n === 1 ? one : many}`;
}

/** Broken at spaces so that no line is wider than `width`, each behind `indent`. Colours take no room. */
export function wrapped(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  let wide = indent.length;
  for (const word of text.split(' ')) {
    const room = stripVTControlCharacters(word).length;
    if (wide > indent.length && wide + 1 + room > width) {
      lines.push(line);
      line = indent;
      wide = indent.length;
    }
    const gap = wide > indent.length ? ' ' : '';
    line += gap + word;
    wide += gap.length + room;
  }
  return [...lines, line].join('\n');
}
