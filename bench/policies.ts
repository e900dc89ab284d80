/**
 * The textbook policies and the whole engine beside libCacheSim: CPU time of whole processes on the same trace, and equal misses.
 *
 * The trace: 20 M accesses to 1 M pages, zipf(1.0), written once to reports/policies/data/trace.zipf.oracleGeneral. Both sides read that
 * file, number or hash its objects, and run one policy at one size, in turns, round by round. User time, as bash counts it; a ratio is
 * ours to theirs, the median of the rounds, and the least and the most.
 *
 *     npm run bench:policies -- --tree=../libCacheSim --build=../libCacheSim/build      beside libCacheSim (libcachesim.ts says how)
 *     npm run bench:policies                                                            our figures alone
 *     … --policies=LRU,engine --sizes=0.01,0.1 --rounds=5 --accesses=20000000 --pages=1000000
 *     … --record        libCacheSim's counts for the tests, to test/policy/libcachesim.tsv
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POLICIES, policyNamed, simulate } from '../src/policy/index.ts';
import { missRatioCurve } from '../src/policy/miss_ratio_curve.ts';
import { CAPACITIES, comparable, streamOf, TRACES } from '../test/policy/traces.ts';
import { zipfPages } from '../test/zipf.ts';
import { runEngine } from './policies/engine.ts';
import { countedMisses, type Peer, peerIn, run, writeOracleGeneral } from './policies/libcachesim.ts';
import { readOracleGeneral } from './policies/oracle_general.ts';

/** What cachesim calls them. */
const THEIR_NAMES: Record<string, string> = { OPT: 'belady', '2Q': 'twoq', CLOCK: 'clock', 'S3-FIFO': 's3fifo' };
/** Ours that have no namesake are laid beside its LRU. */
const ENGINE = 'engine';
const CURVE = 'exact curve';

/** Its library has MRU, its cachesim does not. */
const UNTIMED = 'MRU';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = join(root, 'reports', 'policies');

function option(name: string, otherwise: string): string {
  const found = process.argv.find((word) => word.startsWith(`--${name}=`));
  return found === undefined ? otherwise : found.slice(name.length + 3);
}

/** One run of ours, in a process of its own: prints the misses. */
function runOurs(what: string, trace: string, capacity: number): void {
  const stream = readOracleGeneral(trace);
  if (what === ENGINE) console.log(runEngine(stream, capacity));
  else if (what === CURVE) console.log(missRatioCurve(stream).accesses);
  else console.log(simulate(stream, policyNamed(what)!, capacity).misses);
}

interface Timed {
  seconds: number;
  said: string;
}

/** In `scratch`, because cachesim leaves a file of results where it runs. */
function timed(command: string, args: string[]): Timed {
  const said = run('bash', ['-c', 'TIMEFORMAT=%U; time "$0" "$@" 2>/dev/null', command, ...args], '', true, scratch);
  const lines = said.trim().split('\n');
  return { seconds: Number(lines.pop()), said: lines.join('\n').trim() };
}

function ours(what: string, trace: string, capacity: number): Timed {
  return timed(process.execPath, [process.argv[1]!, `--one=${what}`, `--trace=${trace}`, `--capacity=${capacity}`]);
}

function theirs(peer: Peer, what: string, trace: string, capacity: number): Timed {
  const name = THEIR_NAMES[what] ?? (policyNamed(what) === undefined ? 'lru' : what);
  return timed(join(peer.build, 'bin', 'cachesim'), [
    ...[trace, 'oracleGeneral', name.toLowerCase(), String(capacity), '--ignore-obj-size', '1'],
  ]);
}

function spread(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map((v) => v.toFixed(2));
  return `${median} (${least}–${most})`;
}

function compare(peer: Peer | null, what: string, trace: string, capacity: number, rounds: number): void {
  const times: number[] = [];
  const ratios: number[] = [];
  let misses = '';
  for (let round = 0; round < rounds; round++) {
    const other = peer === null || what === UNTIMED ? null : theirs(peer, what, trace, capacity);
    const own = ours(what, trace, capacity);
    misses = own.said;
    times.push(own.seconds);
    if (other !== null) ratios.push(own.seconds / other.seconds);
  }
  const counted = peer === null ? undefined : countedMisses(peer, trace, [what], [capacity]).get(`${what} ${capacity}`);
  const equal = counted === undefined ? '' : counted === Number(misses) ? 'equal' : `libCacheSim: ${counted}`;
  const cells = [
    what.padEnd(12),
    String(capacity).padStart(8),
    spread(times).padStart(18),
    (ratios.length > 0 ? spread(ratios) : '').padStart(18),
    misses.padStart(10),
    equal,
  ];
  console.log(cells.join('  ').trimEnd());
}

function recordCounts(peer: Peer): void {
  const revision = run('git', ['-C', peer.tree, 'log', '-1', '--format=%H, %cs']).trim();
  const lines = [
    '# Misses that libCacheSim counts on the streams of traces.ts, by capacity in pages; - is what traces.ts calls not comparable.',
    `# libCacheSim at ${revision}, default parameters, objects of size 1. Written by bench/policies.ts --record.`,
    ['stream', 'policy', ...CAPACITIES].join('\t'),
  ];
  for (const [name, make] of Object.entries(TRACES)) {
    const path = join(scratch, `${name}.oracleGeneral`);
    writeOracleGeneral(path, streamOf(make()));
    for (const { name: policy } of POLICIES.filter((one) => one.name !== 'random')) {
      const capacities = CAPACITIES.filter((capacity) => comparable(policy, capacity));
      const counts = countedMisses(peer, path, [policy], capacities);
      lines.push([name, policy, ...CAPACITIES.map((c) => counts.get(`${policy} ${c}`) ?? '-')].join('\t'));
    }
  }
  writeFileSync(join(root, 'test', 'policy', 'libcachesim.tsv'), `${lines.join('\n')}\n`);
}

function main(): void {
  const one = option('one', '');
  if (one !== '') {
    runOurs(one, option('trace', ''), Number(option('capacity', '1')));
    return;
  }
  mkdirSync(join(scratch, 'data'), { recursive: true });
  const [tree, build] = [option('tree', ''), option('build', '')];
  const peer = tree === '' ? null : peerIn(resolve(tree), resolve(build), scratch);
  if (process.argv.includes('--record')) {
    if (peer === null) throw new Error('--record needs --tree and --build');
    recordCounts(peer);
    return;
  }
  const pages = Number(option('pages', '1000000'));
  const accesses = Number(option('accesses', '20000000'));
  const trace = join(scratch, 'data', `trace.zipf-${pages}-${accesses}.oracleGeneral`);
  if (!existsSync(trace)) writeOracleGeneral(trace, streamOf(zipfPages(pages, accesses, 1).ids));
  console.log(
    `${accesses} accesses to ${pages} pages, zipf(1.0)${peer === null ? '; --tree and --build name no libCacheSim' : ''}`,
  );
  console.log('policy           pages      ours, seconds      ours / theirs      misses');
  const wanted = option('policies', [...POLICIES.map(({ name }) => name), CURVE, ENGINE].join(',')).split(',');
  for (const what of wanted) {
    for (const share of option('sizes', '0.01,0.1').split(',')) {
      compare(peer, what, trace, Math.round(pages * Number(share)), Number(option('rounds', '3')));
    }
  }
}

main();
