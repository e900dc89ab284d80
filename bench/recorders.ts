/**
 * What recording costs, and whether both recorders see the same.
 *
 * CPU seconds of the program and all it starts, alone and under `revmap record` (QEMU, plugin and packing together), so that other
 * work of the computer does not count; elapsed time beside them. Then the fast recorder against lackey: of each program the difference
 * of two runs, one with more work than the other, because valgrind puts a library of its own into a program and ld.so has more to
 * do there. `-- --quick` leaves the second table out: lackey takes minutes.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../src/record/programs.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'revmap-bench-'));
const output = join(folder, 'x.rvm.gz');

interface Account {
  accesses: number;
  instructions: number;
  reads: number;
  writes: number;
  page_events: number;
}

/** Lines of two numbers in no order. */
function numbers(lines: number): string {
  const path = join(folder, `numbers.${lines}`);
  let text = '';
  for (let i = 1; i <= lines; i++) text += `${(i * 7919) % 500_009} ${i}\n`;
  writeFileSync(path, text);
  return path;
}

function sqlite(rows: number): string {
  return `CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, v TEXT);
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${rows})
      INSERT INTO t SELECT x, (x*7919)%50021, printf('%0128d', x*31) FROM c;
    CREATE INDEX i ON t(k);
    SELECT count(*), sum(length(v)) FROM t WHERE k BETWEEN 100 AND 9000;
    SELECT sum(a.id) FROM t a JOIN t b ON a.k=b.id WHERE a.id%7=0;
    UPDATE t SET k=k+1 WHERE id%11=0;
    SELECT sum(k) FROM t;`;
}

const python = (entries: number) =>
  `d = {i: str(i) * 3 for i in range(${entries})}\nprint(sum(len(v) for v in d.values()), sorted(d.values())[7])`;

const source = `#include <stdlib.h>
static unsigned long table[1 << 16];
int main(int argc, char **argv) {
  unsigned long sum = 1;
  long count = atol(argv[1]);
  for (long i = 0; i < count; i++) { sum = sum * 6364136223846793005ul + 1; table[sum >> 48] += sum; }
  return table[7] == 1;
}`;

/** CPU and elapsed seconds of a command and all it started, by bash. */
function timed(command: readonly string[]): { cpu: number; elapsed: number; stdout: string } {
  const script = 'TIMEFORMAT="%U %S %R"; time "$@" 2>/dev/null';
  const { stderr, stdout, status } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}\n${stderr}`);
  const [user, system, elapsed] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number) as [number, number, number];
  return { cpu: user + system, elapsed, stdout };
}

function recorded(command: readonly string[], recorder: string) {
  const words = [process.execPath, cli, 'record', '--force', '--json', '--recorder', recorder, '-o', output, '--'];
  const { cpu, elapsed, stdout } = timed([...words, ...command]);
  return { cpu, elapsed, account: JSON.parse(stdout) as Account, bytes: statSync(output).size };
}

const M = (n: number) => (n / 1e6).toFixed(1);

function costs(programs: Record<string, readonly string[]>): void {
  const head = ['program', 'accesses M', 'events M', 'file MB', 'alone s', 'recorded s', 'slow-down', 'elapsed s'];
  row(head);
  for (const [name, command] of Object.entries(programs)) {
    if (findProgram(command[0]!) === null) {
      console.log(`${name}: not here`);
      continue;
    }
    const alone = timed(command).cpu;
    const { cpu, elapsed, account, bytes } = recorded(command, 'qemu');
    const { accesses, page_events } = account;
    const times = [alone.toFixed(2), cpu.toFixed(1), `${(cpu / alone).toFixed(0)} x`, elapsed.toFixed(1)];
    row([name, M(accesses), M(page_events), (bytes / 1e6).toFixed(1), ...times]);
  }
}

function agreement(programs: Record<string, readonly [less: readonly string[], more: readonly string[]]>): void {
  row(['program', 'lackey M', 'qemu M', 'all', 'fetches', 'reads', 'writes', 'lackey s', 'qemu s']);
  for (const [name, [less, more]] of Object.entries(programs)) {
    const seen = ['lackey', 'qemu'].map((recorder) => {
      const [a, b] = [recorded(less, recorder), recorded(more, recorder)];
      const of = (what: 'instructions' | 'reads' | 'writes') => b.account[what] - a.account[what];
      const parts = [of('instructions'), of('reads'), of('writes')];
      return { counts: [parts.reduce((sum, n) => sum + n, 0), ...parts], cpu: a.cpu + b.cpu };
    });
    const [lackey, qemu] = seen as [(typeof seen)[0], (typeof seen)[0]];
    const off = qemu.counts.map((n, i) => `${(100 * (n / lackey.counts[i]! - 1)).toFixed(2)} %`);
    row([name, M(lackey.counts[0]!), M(qemu.counts[0]!), ...off, lackey.cpu.toFixed(1), qemu.cpu.toFixed(1)]);
  }
}

function row(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(11))).join(''));
}

try {
  const large = numbers(60_000);
  const c = join(folder, 'table.c');
  writeFileSync(c, source);
  const table = join(folder, 'table');
  if (spawnSync(findProgram('cc') ?? 'cc', ['-O1', '-static', '-o', table, c]).status !== 0)
    throw new Error('no C compiler');
  costs({
    sqlite3: ['sqlite3', ':memory:', sqlite(35_000)],
    python3: ['/usr/bin/python3', '-c', python(150_000)],
    sort: ['sort', '-n', '-o', '/dev/null', large],
    xz: ['sh', '-c', `head -c 400000 ${large} | xz -c > /dev/null`],
    'gzip -9': ['sh', '-c', `gzip -9 -c ${large} > /dev/null`],
    'gcc -O1': ['gcc', '-O1', '-c', c, '-o', '/dev/null'],
  });
  if (!process.argv.includes('--quick') && findProgram('valgrind') !== null) {
    console.log();
    agreement({
      'static table': [
        [table, '100000'],
        [table, '500000'],
      ],
      sqlite3: [
        ['sqlite3', ':memory:', sqlite(100)],
        ['sqlite3', ':memory:', sqlite(400)],
      ],
      sort: [
        ['sort', '-n', '-o', '/dev/null', numbers(2000)],
        ['sort', '-n', '-o', '/dev/null', numbers(4000)],
      ],
    });
  }
} finally {
  rmSync(folder, { recursive: true });
}
