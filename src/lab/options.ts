/**
 * What a run is asked to do: the machine, the limit.
 *
 * Owns      the options' names, defaults and spelling of sizes.
 * Promises  What parseSize and parseLimits accept is in bytes, whole and above 0.
 */
import type { MachineConfig } from '../mm/machine.ts';
import { PAGE_SIZE } from '../mm/units.ts';

export type SwapDevice = 'zram' | 'disk';

export interface MachineOptions {
  kernel: string;
  ramBytes: number;
  /** 0: no swap. */
  swapBytes: number;
  swapDevice: SwapDevice;
  swappiness: number;
  pageCluster: number;
  /** vm.min_free_kbytes; 0: by the kernel's formula. */
  minFreeKbytes: number;
  /** The multi-generational LRU (/sys/kernel/mm/lru_gen/enabled) instead of the active and inactive lists. */
  mglru: boolean;
}

/** The machine on which the bundled truth was measured (oracle/truth). */
export const MACHINE_DEFAULTS: MachineOptions = {
  kernel: '6.18',
  ramBytes: 384 * 2 ** 20,
  swapBytes: 512 * 2 ** 20,
  swapDevice: 'zram',
  swappiness: 60,
  pageCluster: 3,
  minFreeKbytes: 0,
  mglru: false,
};

/** Part of memory that is active pages of files of others, who run beside the program and are not recorded. */
const OTHERS_SHARE = 1 / 16;

export function machineConfig(options: MachineOptions): MachineConfig {
  return {
    kernel: options.kernel,
    ramBytes: options.ramBytes,
    othersActivePages: Math.floor((options.ramBytes * OTHERS_SHARE) / PAGE_SIZE),
    mglru: options.mglru,
    sysctl: {
      swappiness: options.swappiness,
      pageCluster: options.pageCluster,
      minFreeKbytes: options.minFreeKbytes,
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `64M`, `1.5G`, `12603K`, `4096`: bytes; null if it is none of these or not above 0. Powers of 1024. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([KMGT]?)(i?B)?$/i.exec(text.trim());
  if (match === null) return null;
  const bytes = Math.round(Number(match[1]) * UNITS[match[2]!.toUpperCase()]!);
  return bytes > 0 && bytes <= 2 ** 47 ? bytes : null;
}

/** `60.0 MiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 2 ** 10) return `${bytes} B`;
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  if (bytes < 2 ** 30) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The limits of a sweep: so many, from the peak downwards, or these. */
export type Limits = { count: number } | { bytes: number[] };

export const MOST_LIMITS = 256;

/**
 * `8`: eight, from the peak down. `64M,48M`: these. `64M..16M`: eight from here to there; `64M..16M:4M` in steps.
 * A list is sorted from the widest to the narrowest. Gives what is wrong as a string.
 */
export function parseLimits(text: string): Limits | string {
  if (/^\d{1,3}$/.test(text)) {
    const count = Number(text);
    return count >= 1 && count <= MOST_LIMITS ? { count } : `1 to ${MOST_LIMITS} limits, not ${count}`;
  }
  const bytes: number[] = [];
  for (const part of text.split(',')) {
    const range = part.split('..');
    const [from, stop = ''] = range;
    if (range.length === 1) {
      const size = parseSize(part);
      if (size === null) return `'${part}' is no size (64M, 12603K, 1G)`;
      bytes.push(size);
      continue;
    }
    const [to = '', step] = stop.split(':');
    const first = parseSize(from ?? '');
    const last = parseSize(to);
    if (range.length > 2 || first === null || last === null) return `'${part}' is no range (64M..16M or 64M..16M:4M)`;
    const by = step === undefined ? Math.abs(first - last) / 7 : parseSize(step);
    if (by === null || by === 0) return `'${part}': the step is no size`;
    const count = Math.floor(Math.abs(first - last) / by + 1e-9) + 1;
    if (count > MOST_LIMITS) return `'${part}' is ${count} limits; ${MOST_LIMITS} are the most`;
    for (let i = 0; i < count; i++) bytes.push(Math.round(Math.max(first, last) - i * by));
  }
  const distinct = [...new Set(bytes)].sort((a, b) => b - a);
  if (distinct.length > MOST_LIMITS) return `${distinct.length} limits; ${MOST_LIMITS} are the most`;
  return { bytes: distinct };
}

/** `count` limits between the peak and three tenths of it, whole pages: 100 %, 90 %, … 30 % for eight. */
export function limitsBelow(peakBytes: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 1 : 1 - (0.7 * i) / (count - 1);
    return Math.max(1, Math.round((peakBytes * share) / 4096)) * 4096;
  });
}

/** `384.0 MiB of memory, 512.0 MiB of swap on zram, swappiness 60`. */
export function machineText(options: Omit<MachineOptions, 'kernel'>): string {
  const { ramBytes, swapBytes, swapDevice, swappiness, mglru } = options;
  const swap =
    swapBytes === 0 ? 'no swap' : `${formatSize(swapBytes)} of swap on ${swapDevice}, swappiness ${swappiness}`;
  return `${formatSize(ramBytes)} of memory, ${swap}${mglru ? ', MGLRU' : ''}`;
}
