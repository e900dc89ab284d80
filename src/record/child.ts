/**
 * A recorder's process: started, watched, and ended when the user wants that.
 *
 * Owns      which signals end a recording early, and how long a program has then.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { RecordError } from './error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A terminal sends SIGINT to the program as well; only who did not get it needs it from us. */
const FORWARD_MS = 300;
/** From then on. */
const GRACE_MS = 2000;
const POLL_MS = 25;

export interface Watch {
  /** Called every POLL_MS while it runs. */
  poll(): void;
  /** Real process ids of those who may still run; the started one is among them while it lives. */
  living(): number[];
  /** Nothing more is to be recorded. */
  stop(): void;
}

export interface Ended {
  code: number | null;
  signal: string | null;
  /** The signal that shortened the recording; empty if none did. */
  cutShort: string;
  /** How many were still running when the first process ended. */
  leftRunning: number;
}

/** Starts a program, and `watch` once it runs; comes back when it and all it started have ended. */
export async function runChild(
  file: string,
  args: readonly string[],
  stdio: StdioOptions,
  begin: (child: ChildProcess) => Watch,
): Promise<Ended> {
  const child = spawn(file, [...args], { stdio });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', (error) => reject(new RecordError(`${file} does not start: ${error.message}`)));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const watch = begin(child);
  const timers = new Set<NodeJS.Timeout>();
  let cutShort = '';
  const kill = () => {
    watch.stop();
    send(watch.living(), 'SIGKILL');
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (cutShort !== '') return kill();
    cutShort = signal;
    timers.add(setTimeout(() => send(watch.living(), signal), FORWARD_MS));
    timers.add(setTimeout(kill, GRACE_MS));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const polling = setInterval(() => watch.poll(), POLL_MS);
  try {
    const { code, signal } = await ended;
    const leftRunning = (await leftBehind(watch)).length;
    await endAll(watch);
    return { code, signal, cutShort, leftRunning };
  } finally {
    clearInterval(polling);
    for (const timer of timers) clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Who still runs. Looked at twice: in the middle of execve a process has no command line to be known by. */
async function leftBehind(watch: Watch): Promise<number[]> {
  const seen = watch.living();
  if (seen.length > 0) return seen;
  await new Promise((resolve) => setTimeout(resolve, 2 * POLL_MS));
  return watch.living();
}

/** Ends those that the first process left behind: kindly, then surely. */
async function endAll(watch: Watch): Promise<void> {
  send(watch.living(), 'SIGTERM');
  for (let waited = 0; watch.living().length > 0; waited += POLL_MS) {
    if (waited >= GRACE_MS) {
      watch.stop();
      send(watch.living(), 'SIGKILL');
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended in the meantime.
    }
  }
}
