/**
 * What a measurement makes on the computer is undone, however the measurement ends.
 *
 * Owns      a shell that reads what is to be undone and does so when the pipe to it closes: at the end, at an interrupt, and
 *           when we are killed, for the kernel closes the pipe then. It has a session of its own, so that an interrupt on the
 *           terminal does not meet it.
 * Promises  1. `undo` is known to the watchdog before what it undoes is made, so no moment is uncovered.
 *           2. The last that was made is undone first.
 *           3. If the watchdog dies with us (the power failed), the next measurement finds what was left by its name and removes it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of folders and cgroups; behind it stands the number of the process that made it. */
export const OUR_NAME = 'revmap-measure-';

const SCRIPT = `
trap '' INT TERM HUP
undo=
while IFS= read -r line; do undo="$line
$undo"; done
printf '%s' "$undo" | while IFS='	' read -r what which value; do
  case $what in
    kill) kill -9 "$which" ;;
    swapoff) swapoff "$which" ;;
    folder) rm -rf "$which" ;;
    write) printf '%s' "$value" > "$which" ;;
    cgroup)
      for tries in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -d "$which" ] || break
        for procs in "$which"/*/cgroup.procs "$which"/cgroup.procs; do
          [ -f "$procs" ] && while read -r pid; do kill -9 "$pid"; done < "$procs"
        done
        rmdir "$which"/*/ "$which" || sleep 0.1
      done ;;
  esac
done 2>/dev/null
`;

export type Undo =
  | { what: 'kill'; pid: number }
  | { what: 'swapoff'; path: string }
  | { what: 'folder'; path: string }
  | { what: 'cgroup'; path: string }
  | { what: 'write'; path: string; value: string };

export class Watchdog {
  private readonly shell: ChildProcess;
  private readonly ended: Promise<void>;

  constructor() {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.shell.unref();
    this.ended = new Promise((resolve) => this.shell.once('close', () => resolve()));
    this.shell.stdin?.on('error', () => {});
  }

  undo(step: Undo): void {
    const which = step.what === 'kill' ? String(step.pid) : step.path;
    const value = step.what === 'write' ? step.value : '';
    this.shell.stdin?.write(`${step.what}\t${which}\t${value}\n`);
  }

  /** Undoes everything; resolves when it is done. */
  async close(): Promise<void> {
    this.shell.ref();
    this.shell.stdin?.end();
    await this.ended;
  }
}

/** A name for a folder or cgroup of this process. */
export function ourName(): string {
  return `${OUR_NAME}${process.pid}`;
}

/** Removes what measurements left that are no more: folders in `temporary`, cgroups in `cgroups`. Gives their paths. */
export async function removeLeftOvers(cgroups: string | null, temporary: string = tmpdir()): Promise<string[]> {
  const left = [...ownerless(temporary), ...(cgroups === null ? [] : ownerless(cgroups))];
  if (left.length === 0) return left;
  const watchdog = new Watchdog();
  const swaps = existsSync('/proc/swaps') ? readFileSync('/proc/swaps', 'utf8') : '';
  for (const path of left) {
    watchdog.undo(path.startsWith(`${temporary}/`) ? { what: 'folder', path } : { what: 'cgroup', path });
    const swap = join(path, 'swap');
    if (swaps.includes(`${swap} `)) watchdog.undo({ what: 'swapoff', path: swap });
  }
  await watchdog.close();
  for (const path of left) rmSync(path, { recursive: true, force: true });
  return left;
}

function ownerless(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith(OUR_NAME) && !existsSync(`/proc/${name.slice(OUR_NAME.length).split('-')[0]}`))
    .map((name) => join(folder, name));
}
