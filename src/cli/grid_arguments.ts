/**
 * The options of `revmap sweep`: those of a machine, each with one value or several.
 *
 * Promises  A value that is wrong is refused before anything is read: one line, exit code 2.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { CONFIGURATION_DEFAULTS, type Grid, KERNEL_POLICY } from '../lab/grid.ts';
import type { SwapDevice } from '../lab/options.ts';
import { isPolicyFile } from '../lab/policy_file.ts';
import { POLICIES, policyNamed } from '../policy/index.ts';
import { kernelNames, kernelsOf, size, sizeOrNone, wholeNumber } from './arguments.ts';

/** More in one option is a slip of the pen. */
const MOST_VALUES = 256;

function listOf<T>(one: (text: string) => T): (text: string) => T[] {
  return (text) => {
    const words = text.split(',');
    if (words.length > MOST_VALUES) throw new InvalidArgumentError(`${MOST_VALUES} values are the most.`);
    return [...new Set(words.map((word) => one(word.trim())))];
  };
}

function swapDevice(text: string): SwapDevice {
  if (text !== 'zram' && text !== 'disk') throw new InvalidArgumentError('A swap device is zram or disk.');
  return text;
}

function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new InvalidArgumentError('on, off, or on,off for both.');
  return text === 'on';
}

/** `kernel`, a built-in one by its own name, or a file. */
export function policyName(text: string): string {
  if (text === KERNEL_POLICY || isPolicyFile(text)) return text;
  const known = policyNamed(text);
  if (known !== undefined) return known.name;
  const names = [KERNEL_POLICY, ...POLICIES.map(({ name }) => name)].join(', ');
  throw new InvalidArgumentError(`There is no policy '${text}'. There are ${names}, and files: ./mine.ts.`);
}

export interface GridFlags {
  kernel: string[];
  ram: number[];
  swap: number[];
  swapDevice: SwapDevice[];
  swappiness: number[];
  pageCluster: number[];
  minFree: number[];
  mglru: boolean[] | true;
  policy: string[];
}

export function addGrid(command: Command): Command {
  const d = CONFIGURATION_DEFAULTS;
  return command
    .option('--kernel <list>', `kernels: ${kernelNames()}`, kernelsOf, [d.kernel])
    .option('--ram <list>', 'memory of the machine', listOf(size), [d.ramBytes])
    .option('--swap <list>', 'swap space, or none', listOf(sizeOrNone), [d.swapBytes])
    .option('--swap-device <list>', 'where swap is: zram, disk', listOf(swapDevice), [d.swapDevice])
    .option('--swappiness <list>', 'vm.swappiness', listOf(wholeNumber(0, 200)), [d.swappiness])
    .option('--page-cluster <list>', 'vm.page-cluster', listOf(wholeNumber(0, 10)), [d.pageCluster])
    .option('--min-free <list>', "vm.min_free_kbytes; 0: by the kernel's formula", listOf(wholeNumber(0, 2 ** 22)), [
      d.minFreeKbytes,
    ])
    .option(
      '--mglru [list]',
      'the multi-generational LRU instead of active and inactive lists (Linux 6): on, off',
      listOf(onOff),
      [d.mglru],
    )
    .option('--policy <list>', 'who chooses what leaves memory: kernel, or policies', listOf(policyName), [d.policy]);
}

export function gridOf(flags: GridFlags): Grid {
  return {
    kernel: flags.kernel,
    ramBytes: flags.ram,
    swapBytes: flags.swap,
    swapDevice: flags.swapDevice,
    swappiness: flags.swappiness,
    pageCluster: flags.pageCluster,
    minFreeKbytes: flags.minFree,
    mglru: flags.mglru === true ? [true] : flags.mglru,
    policy: flags.policy,
  };
}
