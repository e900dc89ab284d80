/**
 * A real `revmap serve` with a page of a few lines, and requests to it byte by byte.
 *
 * Owns      a copy of the bundle, as an installed package has it, in whose dist/web our page stands.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Longer than anything takes that ends at all. */
const PATIENCE_MS = 30_000;

export const PAGE = '<!doctype html><title>page</title><script type="module" src="/assets/page.js"></script>\n';

/** What stands in a folder for tests: remove() when done. */
export class Installed {
  readonly folder = mkdtempSync(join(tmpdir(), 'revmap-serve-'));
  private readonly running: Serving[] = [];

  /** `script` is the page's. */
  static make(script = ''): Installed {
    // It builds, where that is due.
    execFileSync(join(root, 'bin', 'revmap'), ['--version']);
    const installed = new Installed();
    const { folder } = installed;
    chmodSync(folder, 0o755); // some tests are other users
    const dist = join(folder, 'dist');
    mkdirSync(join(dist, 'web', 'assets'), { recursive: true });
    for (const name of readdirSync(join(root, 'dist')))
      if (name.endsWith('.js')) cpSync(join(root, 'dist', name), join(dist, name));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(dist, 'web', 'index.html'), PAGE);
    writeFileSync(join(dist, 'web', 'assets', 'page.js'), script);
    return installed;
  }

  get cli(): string {
    return join(this.folder, 'dist', 'cli.js');
  }

  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** One that ends by itself. */
  run(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    const options = { cwd: this.folder, encoding: 'utf8', timeout: PATIENCE_MS } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [this.cli, 'serve', ...args], options);
    return { status, stdout, stderr };
  }

  /** `before` are words in front of the command: another user. */
  async serve(
    args: readonly string[] = [],
    before: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Serving> {
    const [command, ...words] = [...before, process.execPath, this.cli, 'serve', ...args];
    const child = spawn(command!, words, { cwd: this.folder, env: { ...process.env, ...env } });
    const serving = new Serving(child);
    this.running.push(serving);
    await serving.started();
    return serving;
  }

  async endAll(): Promise<void> {
    await Promise.all(this.running.splice(0).map((serving) => serving.end()));
  }

  async remove(): Promise<void> {
    await this.endAll();
    rmSync(this.folder, { recursive: true });
  }
}

export class Serving {
  readonly child: ChildProcess;
  /** Of the one who has used the token. */
  inside: Entered | null = null;
  stdout = '';
  stderr = '';
  private readonly ended: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, 'close');
    child.stdout!.on('data', (text) => {
      this.stdout += text;
    });
    child.stderr!.on('data', (text) => {
      this.stderr += text;
    });
  }

  async started(): Promise<void> {
    while (!this.stdout.includes('\n') || !this.stderr.includes('\n')) {
      const piece = Promise.race([once(this.child.stdout!, 'data'), once(this.child.stderr!, 'data')]);
      const isOver = await Promise.race([piece.then(() => false), this.ended.then(() => true)]);
      if (isOver) throw new Error(`it did not start: ${this.stderr}`);
    }
  }

  get url(): string {
    return /http:\S+[0-9a-f]/.exec(this.stdout)![0];
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get token(): string {
    return new URL(this.url).hash.slice('#token='.length);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.exited();
  }

  async exited(): Promise<number | null> {
    await this.ended;
    return this.child.exitCode;
  }
}

export interface RawAnswer {
  /** One for each answer on the connection. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly isClosed: boolean;
}

/** What the server says to these bytes until it closes the connection. */
export function rawAnswer(port: number, request: string, host = '127.0.0.1'): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let text = '';
    let isClosed = false;
    const socket = connect({ host, port, noDelay: true });
    socket.setEncoding('latin1');
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on('connect', () => socket.write(request, 'latin1'));
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('end', () => {
      isClosed = true;
    });
    socket.on('error', () => {
      isClosed = true;
    });
    socket.on('close', () => resolve({ statuses: statusesOf(text), text, isClosed }));
  });
}

export function statusesOf(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
}

export type RequestHeaders = Readonly<Record<string, string | readonly string[] | null>>;

/** Without `headers` whose value is null; an array stands there once for each. */
export function requestText(method: string, target: string, headers: RequestHeaders, version = '1.1'): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    if (value === null) return [];
    return (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`);
  });
  return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

/** What a browser sends along with a fetch of a page's own. */
export const FETCH: RequestHeaders = {
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Dest': 'empty',
  Connection: 'close',
};

/** And when a person opens a page. */
export const OPENED: RequestHeaders = {
  'Sec-Fetch-Site': 'none',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Dest': 'document',
  Connection: 'close',
};

export interface Entered {
  readonly api: string;
  readonly cookie: string;
}

/** With the token through the door. */
export async function entered({ port, token }: Pick<Serving, 'port' | 'token'>): Promise<Entered> {
  const headers = { Host: `127.0.0.1:${port}`, Authorization: `Bearer ${token}`, ...FETCH };
  const { text } = await rawAnswer(port, requestText('GET', '/session', headers));
  const api = /"api":"(\/[0-9a-f]{32})"/.exec(text)?.[1];
  const cookie = /^Set-Cookie: (revmap=[0-9a-f]{32});/m.exec(text)?.[1];
  if (api === undefined || cookie === undefined) throw new Error(`no session: ${text}`);
  return { api, cookie };
}
