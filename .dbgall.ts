import { RandomProgram } from './test/random_machine.ts';
const [from, to, steps] = process.argv.slice(2, 5).map(Number) as [number, number, number];
let fails = 0, done = 0; const t0 = Date.now();
for (let seed = from; seed < to; seed++) for (const kernel of ['6.18', '6.1']) {
  let i = 0; done++;
  try { const p = new RandomProgram(seed, kernel); for (; i < steps; i++) { p.step(); const b = p.verify(); if (b.length) throw new Error('VERIFY ' + b.slice(0, 3).join(' | ')); } p.checkContents(); p.end(); }
  catch (e) { fails++; if (fails < 30) console.log(seed, kernel, 'step', i, (e as Error).message.slice(0, 300)); }
}
console.log('runs', done, 'fails', fails, 'ms', Date.now() - t0);
