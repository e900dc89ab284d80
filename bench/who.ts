/**
 * `who` on this host: how long a question takes with the start of the program, and how often as many entries are found as the
 * kernel counts.
 *
 *     npm run bench -- who            both; needs root and cc
 *     npm run bench -- who --frames=200     instead of 1,000
 *     npm run bench -- who --busy     the frames of a busy host only; --quiet, --time: these only
 *
 * Other work on the machine shows: user time of the question stands beside its wall time, and `quiet` is as quiet as the host is.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LiveHost } from '../src/host/live_host.ts';
import { HostFiles } from '../src/host/read/host_files.ts';
import { processOfVma, vmaOfEntry } from '../src/host/reverse.ts';
import { ENTRY_NO_FRAME, ENTRY_PRESENT, type HostSnapshot } from '../src/host/snapshot.ts';
import { wordOfFrame } from '../src/host/who/who.ts';
import { whoLiveAddress } from '../src/host/who/who_live.ts';
import { hasKpf, KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL, KPF_ZERO_PAGE } from '../src/proc/kpage_flags.ts';
import { Sharing, whyNoSharing } from '../test/host/sharing.ts';

const PROCESSES = 200;
const RUNS = 20;
const FRAMES = Number(process.argv.find((word) => word.startsWith('--frames='))?.slice(9) ?? 1000);
/** So many are asked about between two snapshots to choose from. */
const BATCH = Math.min(100, FRAMES);
const PARTS = ['--time', '--quiet', '--busy'];
const PAGE = 4096;
const root = fileURLToPath(new URL('..', import.meta.url));
const files = new HostFiles();

const missing = whyNoSharing();
if (missing === null) await bench();
else console.log(`not measured: ${missing}`);

async function bench(): Promise<void> {
  const sharing = new Sharing(join(root, 'test', 'host', 'sharing.c'));
  const sleepers = manyProcesses();
  try {
    await setTimeout(500);
    if (isWanted('--time')) startUp(sleepers[0]!.pid!);
    if (isWanted('--quiet')) ask('quiet');
    if (!isWanted('--busy')) return;
    await sharing.start('busy');
    ask('busy');
  } finally {
    for (const sleeper of sleepers) sleeper.kill('SIGKILL');
    await sharing.remove();
  }
}

function isWanted(part: string): boolean {
  return process.argv.includes(part) || !PARTS.some((each) => process.argv.includes(each));
}

function manyProcesses(): ChildProcess[] {
  const now = (files.list(files.inProc()) as string[]).filter((name) => /^\d+$/.test(name)).length;
  return Array.from({ length: Math.max(1, PROCESSES - now) }, () => spawn('sleep', ['600'], { stdio: 'ignore' }));
}

// how long

function startUp(pid: number): void {
  const maps = files.text(files.inProc(pid, 'maps')) as string;
  const start = (pattern: RegExp) => Number(`0x${pattern.exec(maps)![1]}`);
  const stack = start(/-([0-9a-f]+) .*\[stack\]/) - PAGE;
  const library = start(/^([0-9a-f]+)-.*libc/m);
  const processes = (files.list(files.inProc()) as string[]).filter((name) => /^\d+$/.test(name)).length;
  console.log(`${processes} processes, median of ${RUNS} runs: wall, user and system time of the process`);
  const revmap = join(root, 'bin', 'revmap');
  tellTime('node -e 0', ['-e', '0']);
  tellTime('revmap --version', [revmap, '--version']);
  tellTime('revmap who, a page of a stack', [revmap, 'who', '--pid', String(pid), '--addr', String(stack)]);
  tellTime('revmap who, a page of libc', [revmap, 'who', '--pid', String(pid), '--addr', String(library)]);
}

function tellTime(name: string, args: readonly string[]): void {
  const times = Array.from({ length: RUNS }, () => {
    const { stderr, stdout } = spawnSync(
      'bash',
      ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null', '', process.execPath, ...args],
      {
        encoding: 'utf8',
      },
    );
    const figures = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(stderr);
    if (figures === null) throw new Error(stderr + stdout);
    return figures.slice(1).map((seconds) => 1000 * Number(seconds));
  });
  const median = (place: number) => times.map((time) => time[place]!).sort((a, b) => a - b)[RUNS / 2]!;
  const shown = [0, 1, 2].map((place) => median(place).toFixed(0).padStart(6));
  console.log(`  ${name.padEnd(34)}${shown.join('')} ms`);
}

// how often

interface Tally {
  asked: number;
  agreed: number;
  flagged: number;
  explained: number;
  silent: number;
  large: number;
  largeAgreed: number;
}

function ask(name: string): void {
  const tally: Tally = { asked: 0, agreed: 0, flagged: 0, explained: 0, silent: 0, large: 0, largeAgreed: 0 };
  const began = performance.now();
  while (tally.asked < FRAMES) {
    const snapshot = new LiveHost().snapshot({ frames: 'mapped', rollups: false });
    for (const row of someEntries(snapshot)) if (tally.asked < FRAMES) askAbout(snapshot, row, tally);
  }
  const share = (part: number) => `${((100 * part) / tally.asked).toFixed(1)} %`;
  const seconds = (performance.now() - began) / 1000;
  console.log(`${name}: ${tally.asked} random frames of processes, one page each, in ${seconds.toFixed(0)} s`);
  console.log(`  as many entries found as the kernel counts   ${tally.agreed} (${share(tally.agreed)})`);
  console.log(`  else: flagged as changed meanwhile           ${tally.flagged}`);
  console.log(`  else: another reason was given               ${tally.explained}`);
  console.log(`  else: other numbers without a reason         ${tally.silent}`);
  console.log(`  pages of larger folios, beside these         ${tally.largeAgreed} of ${tally.large} agree`);
}

/** Rows of entries of different frames, at random. */
function someEntries({ entries }: HostSnapshot): number[] {
  const frames = new Map<number, number>();
  for (let tries = 0; frames.size < BATCH && tries < 100 * BATCH; tries++) {
    const row = Math.floor(Math.random() * entries.count);
    if ((entries.bits[row]! & (ENTRY_PRESENT | ENTRY_NO_FRAME)) === ENTRY_PRESENT) frames.set(entries.value[row]!, row);
  }
  return [...frames.values()];
}

function askAbout(snapshot: HostSnapshot, row: number, tally: Tally): void {
  const vma = vmaOfEntry(snapshot, row);
  const word = wordOfFrame(snapshot, snapshot.entries.value[row]!) ?? 0;
  if (hasKpf(word, KPF_ZERO_PAGE)) return;
  const isLarge = hasKpf(word, KPF_COMPOUND_HEAD) || hasKpf(word, KPF_COMPOUND_TAIL);
  const { pid } = snapshot.processes[processOfVma(snapshot, vma)]!;
  const page = snapshot.vmas.startPage[vma]! + snapshot.entries.page[row]!;
  const answer = whoLiveAddress(files, pid, page * PAGE);
  // The process ended, or the page went, since the snapshot.
  if (answer === null || answer.frame === null) return;
  const { agrees, why } = answer.frame;
  if (isLarge) {
    tally.large += 1;
    if (agrees === true) tally.largeAgreed += 1;
    return;
  }
  tally.asked += 1;
  if (agrees === true) tally.agreed += 1;
  else if (answer.changed.length > 0) tally.flagged += 1;
  else if (why.some(({ what }) => what !== 'unknown' && what !== 'one address space')) tally.explained += 1;
  else {
    tally.silent += 1;
    console.log(JSON.stringify({ pid, page, ...answer.frame, mappers: answer.frame.mappers.length }));
  }
}
