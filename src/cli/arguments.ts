/**
 * The options that several commands share.
 *
 * Promises  A value that is wrong is refused before anything is read: one line, exit code 2.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Limits, MACHINE_DEFAULTS, type MachineOptions, parseLimits, parseSize } from '../lab/options.ts';
import { GENERATIONS, generationNamed } from '../mm/generations/index.ts';
import { INPUT_KINDS, type InputFormat, parseFormat } from '../trace/detect.ts';

export function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null) throw new InvalidArgumentError('A size is a number and K, M or G: 64M, 12603K, 1.5G.');
  return bytes;
}

/** Swap may be none. */
export function sizeOrNone(text: string): number {
  return text === '0' || text === 'none' ? 0 : size(text);
}

export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const n = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(n >= low && n <= high)) throw new InvalidArgumentError(`A whole number from ${low} to ${high}.`);
    return n;
  };
}

export function kernelOf(text: string): string {
  try {
    return generationNamed(text).version;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function inputFormat(text: string): InputFormat {
  const found = parseFormat(text);
  if (typeof found === 'string') throw new InvalidArgumentError(`${found[0]!.toUpperCase()}${found.slice(1)}.`);
  return found;
}

/** What the file of a command may be. */
export const FILE_IS = 'a recording, or what becomes one (docs/inputs.md); - is standard input';

/** For files that do not tell by their first bytes. */
export function formatOption(): Option {
  const kinds = `${INPUT_KINDS.join(', ')}; csv:id=2,size=3 names columns`;
  return new Option('--format <kind>', `what the file is: ${kinds}`).argParser(inputFormat);
}

export interface FileFlags {
  format?: InputFormat;
}

function limits(text: string): Limits {
  const found = parseLimits(text);
  if (typeof found === 'string') throw new InvalidArgumentError(found);
  return found;
}

/** `linux-2.4,3.16`: by version, each once. */
export function kernelsOf(text: string): string[] {
  return [...new Set(text.split(',').map((name) => kernelOf(name.trim())))];
}

/** `2.4.18, 2.4.19, … 6.18; linux-2.4, … for the newest of a family`. */
export function kernelNames(): string {
  const versions = GENERATIONS.map((g) => g.version).reverse();
  const families = [...new Set(GENERATIONS.map((g) => g.family))].reverse();
  return `${versions.join(', ')}; ${families.join(', ')} for the newest of each`;
}

export function addMachineOptions(command: Command): Command {
  return addMachine(
    command.option('--kernel <version>', `the kernel: ${kernelNames()}`, kernelOf, MACHINE_DEFAULTS.kernel),
  );
}

/** All but the kernel. */
export function addMachine(command: Command): Command {
  return command
    .option('--ram <size>', 'memory of the machine', size, MACHINE_DEFAULTS.ramBytes)
    .option('--swap <size>', 'swap space, or none', sizeOrNone, MACHINE_DEFAULTS.swapBytes)
    .addOption(
      new Option('--swap-device <kind>', 'where swap is')
        .choices(['zram', 'disk'])
        .default(MACHINE_DEFAULTS.swapDevice),
    )
    .option('--swappiness <n>', 'vm.swappiness', wholeNumber(0, 200), MACHINE_DEFAULTS.swappiness)
    .option('--page-cluster <n>', 'vm.page-cluster', wholeNumber(0, 10), MACHINE_DEFAULTS.pageCluster)
    .option('--min-free <kbytes>', "vm.min_free_kbytes; the kernel's formula without it", wholeNumber(1, 2 ** 22))
    .option('--mglru', 'the multi-generational LRU instead of active and inactive lists (Linux 6)');
}

const MACHINE_WORDS =
  '--kernel --ram --swap --swap-device --swappiness --page-cluster --min-free --mglru --limit --at --format'.split(' ');

/** Where no machine is simulated, a word about one would be passed over in silence: so it is refused. */
export function refuseMachineWords(command: Command): void {
  const given = command.options.find(
    (option) =>
      MACHINE_WORDS.includes(option.long ?? '') && command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given !== undefined) command.error(`error: ${given.long} is for a recording`);
}

export function addLimit(command: Command): Command {
  return command.option(
    '--limit <size>',
    'what the program may use: its memory cgroup, or in kernels without them the machine; no limit without it',
    size,
  );
}

const LIMITS_HELP = 'limits: 8 for eight from the peak down, 64M,48M for these, 64M..16M:4M for steps';

export function addLimits(command: Command): Command {
  return command.option('--limits <list>', LIMITS_HELP, limits, { count: 8 } satisfies Limits);
}

/** The same without a default. */
export function addSomeLimits(command: Command): Command {
  return command.option('--limits <list>', LIMITS_HELP, limits);
}

export interface MachineFlags extends SomeMachineFlags {
  kernel: string;
}

export interface SomeMachineFlags {
  ram: number;
  swap: number;
  swapDevice: 'zram' | 'disk';
  swappiness: number;
  pageCluster: number;
  minFree?: number;
  mglru?: boolean;
}

export function machineOptions(flags: MachineFlags): MachineOptions {
  return { kernel: flags.kernel, ...someMachineOptions(flags) };
}

export function someMachineOptions(flags: SomeMachineFlags): Omit<MachineOptions, 'kernel'> {
  return {
    ramBytes: flags.ram,
    swapBytes: flags.swap,
    swapDevice: flags.swapDevice,
    swappiness: flags.swappiness,
    pageCluster: flags.pageCluster,
    minFreeKbytes: flags.minFree ?? 0,
    mglru: flags.mglru ?? false,
  };
}
