/** `revmap record -- CMD`: what a program does, in a file. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { formatSize } from '../lab/options.ts';
import { type RecorderName, type RecordResult, record } from '../record/record.ts';
import { wholeNumber } from './arguments.ts';
import { grouped, Progress, plural, printJson } from './output.ts';

interface RecordFlags {
  output?: string;
  force?: boolean;
  window: number;
  recorder?: RecorderName;
  json?: boolean;
}

export function addRecord(program: Command): void {
  program
    .command('record')
    .description('run a program and record its page accesses, system calls and mappings, its children and threads too')
    .argument('<command...>', 'the program and its arguments, behind --')
    .option('-o, --output <file>', 'the recording; without it PROGRAM.rvm.gz in this folder')
    .option('--force', 'replace a file that is there')
    .option('--window <pages>', 'leave out accesses to so many of the last pages', wholeNumber(1, 4096), 32)
    .addOption(
      new Option('--recorder <kind>', 'qemu is fast; lackey, a tool of valgrind, is for where it is missing').choices([
        'qemu',
        'lackey',
      ]),
    )
    .option('--json', "the account as JSON; the program's own output goes to stderr then")
    .addHelpText('after', HELP)
    .action(async (command: string[], flags: RecordFlags) => {
      const progress = new Progress();
      const result = await record({
        command,
        output: flags.output ?? null,
        force: flags.force ?? false,
        window: flags.window,
        recorder: flags.recorder ?? null,
        outputToStderr: flags.json === true,
        onProgress: ({ accesses, bytes, seconds }) => {
          progress.say(`${(accesses / 1e6).toFixed(0)} M accesses, ${formatSize(bytes)}, ${seconds.toFixed(0)} s`);
        },
      });
      progress.done();
      if (flags.json === true) printJson(jsonOf(result));
      else process.stderr.write(`${describe(result)}\n`);
    });
}

const HELP = `
The program runs as it always does: its input and output are its own, so the account goes to stderr. The recording ends with
the program; children that it leaves running are ended. SIGINT and SIGTERM end it earlier, and what was recorded is kept.

  revmap record -o sort.rvm.gz -- sort -n numbers.txt
  revmap run sort.rvm.gz --limit 16M
`;

function jsonOf(result: RecordResult) {
  return {
    recording: result.output,
    recorder: result.recorder,
    exit_code: result.exit.code,
    exit_signal: result.exit.signal,
    cut_short: result.cutShort === '' ? null : result.cutShort,
    processes: result.processes,
    threads: result.threads,
    accesses: result.accesses,
    instructions: result.instructions,
    reads: result.reads,
    writes: result.writes,
    page_events: result.pageEvents,
    syscalls: result.syscalls,
    bytes: result.bytes,
    seconds: result.seconds,
    unseen: result.unseen,
  };
}

function describe(result: RecordResult): string {
  const { exit, threads } = result;
  const ended = exit.signal !== null ? `was ended by ${exit.signal}` : `ended with status ${exit.code}`;
  const short = result.cutShort === '' ? '' : `, cut short by ${result.cutShort}`;
  const tasks = `${plural(result.processes, 'process', 'processes')}${threads === null ? '' : `, ${plural(threads, 'thread')}`}`;
  return [
    `${result.output}: ${formatSize(result.bytes)}, ${grouped(result.pageEvents)} page events of ${grouped(result.accesses)} accesses${short}`,
    `the program ${ended} after ${result.seconds.toFixed(1)} s; ${tasks}, ${plural(result.syscalls, 'system call')}`,
    ...(result.unseen.length > 0 ? ['not seen:', ...result.unseen.map((what) => `  ${what}`)] : []),
  ].join('\n');
}
