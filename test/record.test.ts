/** Real programs, recorded by the real recorders and replayed. */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeReady } from '../scripts/setup.mjs';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { runRecording } from '../src/lab/run.ts';
import { findProgram } from '../src/record/programs.ts';
import { EVENT_ACCESSES, KIND_WRITE } from '../src/trace/decode.ts';
import { OrderedReader } from '../src/trace/order.ts';
import { closeRecording, openRecording, type Recording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

const root = join(import.meta.dirname, '..');
const cli = join(root, 'dist', 'cli.js');
const folder = mkdtempSync(join(tmpdir(), 'revmap-test-record-'));
const temporary = join(folder, 'tmp');
const tree = join(folder, 'tree');
const env: NodeJS.ProcessEnv = {
  ...process.env,
  NO_COLOR: '1',
  TMPDIR: temporary,
  XDG_CACHE_HOME: join(folder, 'cache'),
};
const compiler = findProgram('cc');
const lacks = ['cc', 'qemu-x86_64'].filter((name) => findProgram(name) === null).join(' and ');
const lacksValgrind = ['cc', 'valgrind'].filter((name) => findProgram(name) === null).join(' and ');

beforeAll(async () => {
  await makeReady();
  mkdirSync(temporary);
  if (compiler !== null) {
    spawnSync(compiler, ['-O1', '-pthread', '-o', tree, join(root, 'test/record/tree.c')], { stdio: 'inherit' });
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[], more: { path?: string; input?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: more.path === undefined ? env : { ...env, PATH: more.path },
    ...(more.input === undefined ? {} : { input: more.input }),
  });
  return { status, stdout, stderr };
}

function recorded(args: string[]) {
  const { status, stdout, stderr } = revmap(['record', '--force', '--json', '-o', 'x.rvm.gz', ...args]);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** Nothing of the recorder is left: no folder, no half file, no process. */
function nothingLeft(): void {
  expect(readdirSync(temporary)).toEqual([]);
  expect(readdirSync(folder).filter((name) => /\.(part|new)$/.test(name))).toEqual([]);
  expect(readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(temporary))).toEqual([]);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function replayed(file = 'x.rvm.gz') {
  const recording = await openRecording(join(folder, file));
  const run = runRecording(recording, surveyRecording(recording), {
    ...MACHINE_DEFAULTS,
    kernel: '6.1',
    limitBytes: null,
  });
  closeRecording(recording);
  return { run, header: recording.header };
}

const faultless = {
  unseen_pages: 0,
  refused_accesses: 0,
  differences: [],
  syscalls_unknown: {},
  processes_unstarted: 0,
};

async function pagesOf(recording: Recording): Promise<{ pages: number; written: Set<number> }> {
  const reader = new OrderedReader(recording);
  const pages = new Set<number>();
  const written = new Set<number>();
  for (let event = reader.next(); event !== null; event = reader.next()) {
    const { decoder } = reader;
    if (event !== EVENT_ACCESSES) continue;
    for (let i = 0; i < decoder.count; i++) {
      pages.add(decoder.vpns[i]!);
      if (decoder.kinds[i] === KIND_WRITE) written.add(decoder.vpns[i]!);
    }
  }
  return { pages: pages.size, written };
}

describe.skipIf(lacks !== '')(`the fast recorder${lacks === '' ? '' : ` (there is no ${lacks} here)`}`, () => {
  test('threads, a tree of processes, an exec, a file: all of it is replayed as it was', {
    timeout: 60_000,
  }, async () => {
    for (let round = 0; round < 3; round++) {
      const said = recorded(['--', tree, 'made']);
      expect(said).toMatchObject({ exit_code: 42, exit_signal: null, cut_short: null, processes: 6, threads: 10 });
      const { run, header } = await replayed();
      expect(run).toMatchObject({ ...faultless, status: 'exited', processes: 6 });
      // Threads make 400 pages of shared memory, children 60 more while others end.
      expect(run.peak.shared_memory).toBeGreaterThanOrEqual(400 * 4096);
      expect(run.peak.shared_memory).toBeLessThanOrEqual(460 * 4096);
      expect(header.ordered!.images.map((i) => i.command.split(' ').at(-1))).toEqual(['made', 'again']);
      expect(header.maps.filter((m) => m.file?.path === tree).map((m) => m.file!.offset / 4096)[0]).toBe(0);
      const grandchildren = header.ordered!.parents.filter((parent) => parent > 0).length;
      expect(grandchildren).toBe(2);
    }
    nothingLeft();
  });

  test("a pipeline of a shell; input, output and status are the program's own", { timeout: 60_000 }, async () => {
    const args = ['record', '-o', 'pipe.rvm.gz', '--', 'sh', '-c', 'sort | wc -l; exit 3'];
    const { status, stdout, stderr } = revmap(args, { input: 'b\na\n' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '2\n' });
    expect(stderr).toContain('the program ended with status 3');
    expect(stderr).toContain('3 processes, 3 threads');
    const { run, header } = await replayed('pipe.rvm.gz');
    expect(run).toMatchObject(faultless);
    expect(header.ordered!.images.map((i) => i.command).sort()).toEqual([
      'sh -c sort | wc -l; exit 3',
      'sort',
      'wc -l',
    ]);
    expect(revmap(args).stderr).toBe('revmap: pipe.rvm.gz is there already; --force replaces it\n');
  });

  test("a file on standard input is one of the program's files", { timeout: 60_000 }, async () => {
    writeFileSync(join(folder, 'numbers'), 'x'.repeat(300_000));
    const line = `exec ${process.execPath} ${cli} record --force -o x.rvm.gz -- wc -c < numbers`;
    expect(spawnSync('sh', ['-c', line], { cwd: folder, env, encoding: 'utf8' }).stdout).toBe('300000\n');
    const { run } = await replayed();
    expect(run).toMatchObject(faultless);
    expect(run.counters['pgpgin']).toBeGreaterThan(300);
  });

  test('SIGINT: what was recorded is a whole recording, and nothing is left', { timeout: 60_000 }, async () => {
    for (const { script, exit } of [
      { script: 'while :; do :; done', exit: 'SIGINT' },
      { script: "trap '' INT; sleep 100 & while :; do :; done", exit: 'SIGKILL' },
    ]) {
      const child = spawn(
        process.execPath,
        [cli, 'record', '--force', '--json', '-o', 'x.rvm.gz', '--', 'sh', '-c', script],
        {
          cwd: folder,
          env,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let stdout = '';
      child.stdout.on('data', (text: Buffer) => {
        stdout += text;
      });
      const closed = new Promise((resolve) => child.on('close', resolve));
      while (!existsSync(join(temporary, readdirSync(temporary)[0] ?? 'none', 'image.0'))) await sleep(20);
      await sleep(500);
      child.kill('SIGINT');
      expect(await closed).toBe(0);
      const said = JSON.parse(stdout);
      expect(said).toMatchObject({ exit_signal: exit, cut_short: 'SIGINT' });
      expect(said.accesses).toBeGreaterThan(100_000);
      const { run, header } = await replayed();
      expect(run).toMatchObject(faultless);
      expect(header.ordered!.cutShort).toBe('SIGINT');
      nothingLeft();
    }
  });

  test('whoever the program leaves running is ended, and the recording says so', { timeout: 60_000 }, () => {
    const said = recorded(['--', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 & sleep 1']);
    expect(said.unseen.join()).toContain('it left 1 running');
    nothingLeft();
  });

  test('what cannot be recorded is refused in one line', () => {
    writeFileSync(join(folder, 'script'), '#!/nowhere/sh\n', { mode: 0o755 });
    writeFileSync(join(folder, 'text'), 'x', { mode: 0o755 });
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    symlinkSync(findProgram('qemu-x86_64')!, join(tools, 'qemu-x86_64'));
    for (const { args, path, want } of [
      { args: ['none-such'], path: env['PATH']!, want: 'none-such: no such program' },
      { args: [join(root, 'package.json')], path: env['PATH']!, want: 'is not executable' },
      { args: ['./script'], path: env['PATH']!, want: './script: its interpreter /nowhere/sh is no program' },
      { args: ['./text'], path: env['PATH']!, want: "./text: neither an ELF program nor a script with '#!'" },
      { args: [tree], path: '/nowhere', want: 'no qemu-x86_64 to record with; Debian has it in the package qemu-user' },
    ]) {
      const { status, stderr } = revmap(['record', '-o', 'y.rvm.gz', '--', ...args], { path });
      expect(status).toBe(1);
      expect(stderr).toContain(want);
      expect(stderr.trimEnd().split('\n').length).toBe(1);
    }
    const without = spawnSync(process.execPath, [cli, 'record', '-o', 'y.rvm.gz', '--', tree], {
      cwd: folder,
      env: { ...env, PATH: tools, XDG_CACHE_HOME: join(folder, 'empty') },
      encoding: 'utf8',
    });
    expect(without.stderr).toBe(
      'revmap: no C compiler (cc) to build the recorder with; Debian has it in the package gcc\n',
    );
    nothingLeft();
  });
});

describe.skipIf(lacks !== '' || lacksValgrind !== '')(
  `both recorders${lacks === '' && lacksValgrind === '' ? '' : ` (there is no ${lacks || lacksValgrind} here)`}`,
  () => {
    test('they see the same instructions, reads, writes and pages, but for the start of a program', {
      timeout: 120_000,
    }, async () => {
      const source = join(folder, 'plain.c');
      writeFileSync(
        source,
        `static unsigned long table[1 << 16];
         int main(int argc, char **argv) {
           unsigned long sum = 1;
           for (int i = 0; i < (argc > 1 ? 60000 : 10000); i++) { sum = sum * 6364136223846793005ul + 1; table[sum >> 48] += sum; }
           return table[7] == 1;
         }`,
      );
      const plain = join(folder, 'plain');
      expect(
        spawnSync(compiler!, ['-O1', '-static', '-no-pie', '-o', plain, source], { stdio: 'inherit' }).status,
      ).toBe(0);
      const found: Record<string, number>[] = [];
      let end = 0;
      for (const recorder of ['qemu', 'lackey']) {
        const less = recorded(['--recorder', recorder, '--', plain]);
        const more = recorded(['--recorder', recorder, '--', plain, 'more']);
        const of = (what: string): number => more[what] - less[what];
        const recording = await openRecording(join(folder, 'x.rvm.gz'));
        const { pages, written } = await pagesOf(recording);
        // Of .data and .bss: stack and heap lie elsewhere under valgrind.
        end = recording.header.elf.get('brk') ?? end;
        const own = [...written].filter((page) => page * 4096 < end).length;
        found.push({ instructions: of('instructions'), reads: of('reads'), writes: of('writes'), own, pages });
        closeRecording(recording);
      }
      for (const what of ['instructions', 'reads', 'writes']) {
        const [qemu, lackey] = found.map((said) => said[what]!) as [number, number];
        expect(Math.abs(qemu / lackey - 1), `${what}: ${qemu} and ${lackey}`).toBeLessThan(0.001);
      }
      expect(found[0]!['own']).toBe(found[1]!['own']);
      nothingLeft();
    });
  },
);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
