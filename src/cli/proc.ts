/** `revmap proc --export DIR`: the /proc of a simulated machine, or of a snapshot, as files that other tools read. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Written, whyNotExport, writeProc } from '../host/export/proc_write.ts';
import { snapshotGaps, snapshotTree } from '../host/export/snapshot_tree.ts';
import type { Missing } from '../host/snapshot.ts';
import { MmpRunner } from '../lab/check/run_mmp.ts';
import { readText } from '../lab/text_file.ts';
import { InputError } from '../mm/bug.ts';
import type { Machine } from '../mm/machine.ts';
import { type ProcNode, procTree } from '../proc/tree.ts';
import { parseMmp } from '../syscalls/mmp.ts';
import { printable } from '../trace/error.ts';
import { FILE_IS, refuseMachineWords } from './arguments.ts';
import { type HostSourceFlags, hostFooter, hostSnapshot } from './host_source.ts';
import { addMachineAt, type MachineAtFlags, machineAt } from './machine_at.ts';
import { plural, print, printJson } from './output.ts';

interface ProcFlags extends MachineAtFlags, HostSourceFlags {
  export: string;
  force?: boolean;
  json?: boolean;
}

const HELP = `
  revmap proc program.rvm.gz --export machine/proc     the machine before the program exits
  smem --source machine                                most tools take the place of /proc from a mount:
  sudo unshare -mpf sh -c 'mount --bind machine/proc /proc && exec free'

docs/proc.md has each file, and what stands in it.`;

export function addProc(program: Command): void {
  const command = program
    .command('proc')
    .description('the /proc of a simulated machine or of a snapshot, as files for free, vmstat, pmap, ps, smem …')
    .argument('[file]', `${FILE_IS}; or a memory program (.mmp)`)
    .requiredOption('--export <directory>', 'where to: a directory that is new, or empty', (text) => {
      if (text === '') throw new InvalidArgumentError('A directory.');
      return text;
    })
    .option('--force', 'replace an earlier export')
    .addOption(new Option('--from <file>', 'a snapshot (revmap snapshot -o) instead of a machine'));
  addMachineAt(command, 'page events (calls of a memory program)')
    .option('--json', 'what was written, as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, flags: ProcFlags) => {
      if ((file === undefined) === (flags.from === undefined))
        command.error('error: a recording or memory program, or --from and a snapshot');
      if (file === undefined) refuseMachineWords(command);
      const refused = whyNotExport(flags.export, flags.force === true);
      if (refused !== null) throw new InputError(flags.export, 0, refused);
      const shown = file === undefined ? await ofSnapshot(flags) : await ofMachine(file, flags);
      const files = writeProc(shown.nodes, flags.export);
      if (flags.json === true)
        printJson({ directory: flags.export, kernel: shown.kernel, at: shown.at, missing: shown.missing, files });
      else print(described(flags.export, shown, files));
    });
}

/** What is to be written, and of what moment. */
interface Shown {
  readonly nodes: Iterable<ProcNode>;
  readonly kernel: string;
  /** Page events, or calls of a memory program; null for a snapshot. */
  readonly at: { readonly steps: number; readonly of: 'page event' | 'call' } | null;
  readonly missing: readonly Missing[];
  /** More lines for people. */
  readonly notes: string;
}

async function ofSnapshot(flags: ProcFlags): Promise<Shown> {
  const snapshot = await hostSnapshot(flags);
  const gaps = snapshotGaps(snapshot);
  const lines = gaps.map(({ what, why, count }) => `${what}${count > 1 ? ` of ${count} processes` : ''}: ${why}\n`);
  return {
    nodes: snapshotTree(snapshot),
    kernel: snapshot.kernel,
    at: null,
    missing: [...snapshot.missing, ...gaps],
    notes: lines.join('') + hostFooter(snapshot),
  };
}

async function ofMachine(file: string, flags: ProcFlags): Promise<Shown> {
  if (file.endsWith('.mmp')) return ofProgram(file, flags);
  const replay = await machineAt(file, flags);
  return shownMachine(replay.machine, { steps: replay.events, of: 'page event' });
}

/** Its machine is the one that memory programs run on, whatever the options say but the kernel. */
function ofProgram(file: string, flags: ProcFlags): Shown {
  const program = parseMmp(readText(file), file);
  const runner = new MmpRunner(program, flags.kernel);
  let calls = 0;
  for (const step of program.steps) {
    if (step === 'snapshot') continue;
    if (calls >= flags.at) break;
    runner.step(step);
    calls += 1;
  }
  return shownMachine(runner.machine, { steps: calls, of: 'call' });
}

function shownMachine(machine: Machine, at: NonNullable<Shown['at']>): Shown {
  return { nodes: procTree(machine), kernel: machine.generation.version, at, missing: [], notes: '' };
}

function described(directory: string, { kernel, at, notes }: Shown, files: readonly Written[]): string {
  const processes = files.filter(({ path }) => /^\d+$/.test(path)).length;
  const when = at === null ? '' : `, after ${plural(at.steps, at.of)}`;
  const plain = files.filter(({ kind }) => kind !== 'directory').length;
  return (
    `${printable(directory)}: /proc of Linux ${printable(kernel)}${when}: ` +
    `${plural(processes, 'process', 'processes')}, ${plural(plain, 'file')}\n${notes}`
  );
}
