/** sharing.c, built and run: programs that share pages in known ways. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A page, and who maps it where; the first is who to ask. */
export interface KnownPage {
  readonly what: string;
  readonly pid: number;
  readonly address: number;
  readonly mappers: readonly (readonly [pid: number, address: number])[];
}

const compiler = process.env['CC'] ?? 'cc';
const source = fileURLToPath(new URL('sharing.c', import.meta.url));

/** Why these programs cannot be built or asked about, or null. */
export function whyNoSharing(): string | null {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return spawnSync(compiler, ['--version']).status === 0 ? null : 'no cc';
}

export class Sharing {
  readonly folder = mkdtempSync(join(tmpdir(), 'revmap-sharing-'));
  private readonly running: ChildProcess[] = [];
  private readonly program: string;

  constructor(text = source) {
    this.program = join(this.folder, 'sharing');
    const built = spawnSync(compiler, ['-O1', '-Wall', '-Werror', '-o', this.program, text], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
  }

  /** Starts the program; it keeps its pages until `end`. Null if this kernel would not do it. */
  async start(kind: string, path = join(this.folder, kind)): Promise<readonly KnownPage[] | null> {
    const child = spawn(this.program, [kind, path], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.running.push(child);
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => [null])]);
    return line === null ? null : (JSON.parse(String(line)) as KnownPage[]);
  }

  async end(): Promise<void> {
    for (const child of this.running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.stdin?.end();
      await ended;
    }
  }

  async remove(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true });
  }
}
