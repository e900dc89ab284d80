/**
 * The Host view on this host, or on a snapshot file (`--from=FILE`): how long the page's worker takes to open it and to answer each
 * question, asked in the page's order and then once more.
 *
 * CPU time, so that a busy computer matters less; the page's worker runs the same code on the same V8.
 */
import { readFileSync } from 'node:fs';
import { encodeSnapshot } from '../src/host/file/snapshot_file.ts';
import { LiveHost } from '../src/host/live_host.ts';
import { MACHINE_CHOICE } from '../src/view/choice.ts';
import { COLOURINGS } from '../src/view/frames_legend.ts';
import { Session } from '../src/view/session.ts';

const from = process.argv.find((word) => word.startsWith('--from='))?.slice('--from='.length);
const bytes = from === undefined ? Buffer.concat(encodeSnapshot(new LiveHost().snapshot())) : readFileSync(from);
const source = { name: from ?? 'this host', bytes };
const session = new Session();

await timed('open', () => session.open(source, MACHINE_CHOICE));
const facts = session.ask('hostFacts')!;
const n = (value: number) => value.toLocaleString('en');
console.log(
  `${n(facts.frames ?? 0)} frames, ${n(facts.entries)} entries, ${n(facts.regions)} regions, ${n(facts.processes)} processes`,
);
const ps = await timed('hostPs', () => session.ask('hostPs'));
const { pid } = ps!.processes.reduce((a, b) => ((a.rss_bytes ?? 0) > (b.rss_bytes ?? 0) ? a : b));
await timed(`hostSharers of ${pid}`, () => session.ask('hostSharers', pid));
await timed('hostMemory', () => session.ask('hostMemory'));
await timed('hostCgroups', () => session.ask('hostCgroups'));
const files = await timed('hostFiles', () => session.ask('hostFiles'));
await timed('hostFile', () => session.ask('hostFile', files!.rows[0]!.file));
await timed('hostChanges', () => session.ask('hostChanges'));
for (const { id } of COLOURINGS) await timed(`frames by ${id}`, () => session.ask('frames', id));

async function timed<T>(what: string, ask: () => T | Promise<T>): Promise<T> {
  const times: string[] = [];
  let answer: T;
  for (let time = 0; time < 2; time++) {
    const before = process.cpuUsage();
    answer = await ask();
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) / 1000).toFixed(0).padStart(8));
  }
  console.log(what.padEnd(24), ...times);
  return answer!;
}
