/** `npm run fuzz:readers`: what scripts/fuzz_readers.mjs starts. It is in a bundle of its own; the readers are in another one. */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { corpusOf, keepInCorpus } from './corpus.ts';
import { Coverage } from './coverage.ts';
import { Loop, type Target } from './loop.ts';
import { MOST_BYTES } from './mutate.ts';

/** As scripts/fuzz_readers.mjs reads it. */
const NAME_BYTES = 32;

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: '.' },
    executions: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    readers: { type: 'string', default: '' },
    keep: { type: 'boolean' },
    last: { type: 'string', default: '/dev/null' },
  },
});
// A failure is named by the function that threw; more of the stack only takes time.
Error.stackTraceLimit = 2;
const script = new URL('./targets.js', import.meta.url);
const text = readFileSync(fileURLToPath(script), 'utf8');
// First: what is compiled before has no blocks.
const coverage = new Coverage(script.href, text.length);
const { targetsIn } = (await import(script.href)) as { targetsIn: (root: string) => Target[] };
const wanted = values.readers === '' ? null : values.readers.split(',');
const targets = targetsIn(values.root)
  .filter(({ name }) => wanted === null || wanted.includes(name))
  .map((t) => ({ ...t, seeds: [...t.seeds, ...corpusOf(values.root, t.name).map(({ bytes }) => bytes)] }));

const last = openSync(values.last, 'w');
const written = Buffer.alloc(NAME_BYTES + 4 + MOST_BYTES);
const loop = new Loop(targets, coverage, text.length, Number(values.seed), {
  found: ({ target, failure, input }) => {
    const shown = JSON.stringify(Buffer.from(input.subarray(0, 200)).toString('latin1'));
    process.stdout.write(`FOUND ${target}: ${failure}: ${shown}\n`);
  },
  next: (target, input) => {
    // The reader, how many bytes, the bytes; what stands behind them is from before.
    written.fill(0, 0, NAME_BYTES).write(target);
    written.writeUInt32LE(input.length, NAME_BYTES);
    written.set(input, NAME_BYTES + 4);
    writeSync(last, written, 0, NAME_BYTES + 4 + input.length, 0);
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => loop.stop());
const started = process.cpuUsage();
await loop.run(Number(values.executions));
const { user, system } = process.cpuUsage(started);
const seconds = (user + system) / 1e6;

for (const { name, executions, inputs, seen } of loop.reports) {
  const { covered } = coverage.blocks([seen]);
  const cells = [name.padEnd(24), String(executions).padStart(9), 'executions ', String(covered).padStart(5)];
  process.stdout.write(`${cells.join(' ')} blocks  ${inputs.length} inputs\n`);
}
const { covered, all } = coverage.blocks(loop.reports.map(({ seen }) => seen));
process.stdout.write(
  `${loop.executions} executions, ${covered} of ${all} blocks covered, ${loop.found.length} failures, ${seconds.toFixed(0)} s of CPU, ${Math.round(loop.executions / seconds)} executions a second\n`,
);
if (values.keep === true) {
  for (const { target, failure, input } of loop.found) keepInCorpus(values.root, target, failure, input);
  for (const { name, inputs } of await loop.cover()) {
    for (const input of inputs) keepInCorpus(values.root, name, 'runs what no other does', input);
  }
}
for (const { end } of targets) end?.();
process.exit(loop.found.length > 0 ? 1 : 0);
