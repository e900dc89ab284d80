import { RandomProgram } from './test/random_machine.ts';
const seed = Number(process.argv[2]), kernel = process.argv[3]!, pat = process.argv[4];
const p = new RandomProgram(seed, kernel);
let i = 0;
try { for (; i < 200; i++) { p.step(); const b = p.verify(); if (b.length) throw new Error(b.slice(0,10).join('\n')); } p.checkContents(); console.log('ok'); }
catch (e) { console.log('step', i, (e as Error).stack?.split('\n').slice(0,14).join('\n')); console.log(p.log.filter(l => !pat || new RegExp(pat).test(l)).join('\n')); }
