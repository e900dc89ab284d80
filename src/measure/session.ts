/**
 * A measurement from beginning to end: what it needs is found or refused, made, used, undone.
 *
 * Owns      the folder of the measurement, and what happens at an interrupt.
 * Promises  Whatever happens, the watchdog has undone all when the process ends.
 */
import { mkdirSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../mm/bug.ts';
import type { TruthMode, TruthRow } from '../trace/truth.ts';
import { filesOf } from './files.ts';
import type { Answer } from './guest.ts';
import { hasSwap, hostCgroups, hostSettings, startHost } from './host.ts';
import { debianKernel } from './kernel.ts';
import { type Bench, type MeasureOptions, measure, type Step } from './measure.ts';
import { modesOf } from './plan.ts';
import { missingPackage, VirtualMachine } from './virtual.ts';
import { ourName, removeLeftOvers, Watchdog } from './watchdog.ts';

/** null: the usual, which on the computer at hand is what it is set to. */
export interface Wanted extends Pick<MeasureOptions, 'limits' | 'smallest' | 'repeat' | 'timeoutSeconds'> {
  kernel: 'qemu' | 'host';
  mglru: readonly boolean[] | null;
  swappiness: readonly number[] | null;
  pageCluster: readonly number[] | null;
  swapDevice: 'zram' | 'disk' | null;
  swapBytes: number;
  ramBytes: number;
  command: readonly string[];
  name: string;
  /** Files beside those that it was seen to use. */
  extra: readonly string[];
}

export interface Listener {
  say(text: string): void;
  row(row: TruthRow, answer: Answer): void;
  step(step: Step): void;
}

export async function measureCommand(wanted: Wanted, listener: Listener): Promise<TruthRow[]> {
  const lacks = wanted.kernel === 'host' ? missingOnHost() : missingForQemu();
  if (lacks !== null) throw new InputError(`--kernel ${wanted.kernel}`, 0, lacks);
  for (const path of await removeLeftOvers(hostCgroups()?.root ?? null)) {
    listener.say(`removed what an earlier measurement left: ${path}`);
  }
  const watchdog = new Watchdog();
  const interrupted = (signal: NodeJS.Signals): void => {
    void watchdog.close().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    const folder = join(tmpdir(), ourName());
    watchdog.undo({ what: 'folder', path: folder });
    mkdirSync(folder);
    const { options, boot } =
      wanted.kernel === 'qemu'
        ? inQemu(wanted, folder, watchdog, listener)
        : onHost(wanted, folder, watchdog, listener);
    return await measure(options, boot, listener.row, listener.step);
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await watchdog.close();
  }
}

interface Prepared {
  options: MeasureOptions;
  boot: () => Promise<Bench>;
}

function missingForQemu(): string | null {
  const name = missingPackage();
  return name === null ? null : `needs Debian's package ${name}`;
}

function missingOnHost(): string | null {
  if (process.getuid?.() !== 0) return 'needs root: it makes a memory cgroup and swap';
  return hostCgroups() === null ? 'this kernel has no memory cgroups' : null;
}

function seenFiles(wanted: Wanted, listener: Listener) {
  const files = filesOf(wanted.command, process.cwd(), process.env, wanted.extra);
  if (files.doubt !== null) listener.say(files.doubt);
  return files;
}

function inQemu(wanted: Wanted, folder: string, watchdog: Watchdog, listener: Listener): Prepared {
  const { command, ramBytes, swapBytes } = wanted;
  const kernel = debianKernel(listener.say);
  const files = seenFiles(wanted, listener);
  const place = { command, cwd: process.cwd(), environment: process.env, files, ramBytes, swapBytes };
  const machine = new VirtualMachine(folder, kernel, place, watchdog);
  const device = wanted.swapDevice ?? 'zram';
  const modes = modesOf({
    device: [device],
    mglru: wanted.mglru ?? [false],
    pageCluster: wanted.pageCluster ?? [3],
    swappiness: wanted.swappiness ?? [60],
  });
  const options = { ...common(wanted), kernel: kernel.release, modes, hostSwap: device };
  return { options, boot: () => machine.boot() };
}

function onHost(wanted: Wanted, folder: string, watchdog: Watchdog, listener: Listener): Prepared {
  const { command, swapBytes } = wanted;
  const files = seenFiles(wanted, listener);
  const swap: MeasureOptions['hostSwap'] = wanted.swapDevice ?? (hasSwap() ? 'keep' : 'disk');
  const set = hostSettings();
  const modes: TruthMode[] = modesOf({
    device: ['host'],
    mglru: wanted.mglru ?? [set.mglru],
    pageCluster: wanted.pageCluster ?? [set.pageCluster],
    swappiness: wanted.swappiness ?? [set.swappiness],
  });
  const place = { command, cwd: process.cwd(), environment: process.env, files, swap, swapBytes, folder };
  const options = { ...common(wanted), kernel: release(), modes, hostSwap: swap };
  // What is to be undone is told once; the launcher is started anew for each repeat.
  return { options, boot: () => startHost(place, watchdog) };
}

function common(wanted: Wanted) {
  const { name, limits, smallest, repeat, timeoutSeconds, swapBytes } = wanted;
  return { program: name, limits, smallest, repeat, timeoutSeconds, swapBytes };
}
