/**
 * `revmap who`: who maps a page, of this host, of a snapshot of one, or of the machine that replays a recording.
 *
 * Promises  1. One question at a time: words that belong to another are refused, exit code 2.
 *           2. What a question to this host does not need is not loaded: the engine, and its options, are who_recording.ts's.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { WhoQuestion } from './who_host.ts';
import type { RecordingFlags } from './who_recording.ts';

interface WhoFlags extends Partial<RecordingFlags> {
  pid?: number;
  addr?: number;
  pfn?: number;
  file?: string;
  offset?: number;
  sharedWith?: number;
  from?: string;
  json?: boolean;
}

const HELP = `
One question at a time:
  --pid P --addr A      what stands at this address of this process, and who else maps it
  --pfn N               who maps this frame
  --file PATH           which pages of the file are mapped, and by whom; with --offset O: who maps this one
  --shared-with P       with whom this process shares its pages, and by what: fork, file, shared memory
  RECORDING --page W    who maps a page of the machine that replays a recording

The first four are about this host, or with --from about a snapshot of one. Frame numbers need root (CAP_SYS_ADMIN).`;

/** Words of a question to a host; all others need the engine's options. */
const HOST_WORDS = ['--pid', '--addr', '--pfn', '--file', '--offset', '--shared-with', '--from', '--json'];

export async function addWho(program: Command, words: readonly string[] = process.argv.slice(3)): Promise<void> {
  const command = program
    .command('who')
    .description(
      'who maps a page: of this host, by address, frame, file or process, or of a recording, with mapping, anon_vma or ' +
        'inode, chain links, regions, page-table entries',
    )
    .argument('[recording]', 'a recording, or what becomes one (docs/inputs.md); - is standard input')
    .option(
      '--pid <pid>',
      'a process; of a recording by its number there, 0 is the first (and the default)',
      wholeNumber,
    )
    .option('--addr <address>', 'an address of the process: 0x7f12ab34c000', numberOf)
    .option('--pfn <n>', 'a frame by its number', numberOf)
    .option('--file <path>', 'a file, or a name as maps shows it: /memfd:name, /SYSV00000000')
    .option('--offset <bytes>', 'a place in the file', numberOf)
    .option('--shared-with <pid>', 'a process: who shares its pages', wholeNumber)
    .addOption(new Option('--from <file>', 'a snapshot (revmap snapshot -o) instead of this host'))
    .option('--json', 'the answer as JSON');
  const named = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!);
  const isOfHost = named.every((word) => HOST_WORDS.includes(word)) && !words.includes('-h');
  if (!isOfHost) (await import('./who_recording.ts')).addRecordingOptions(command);
  command.addHelpText('after', HELP).action(async (recording: string | undefined, flags: WhoFlags) => {
    const refuse = (why: string): never => command.error(`error: ${why}`);
    if (recording !== undefined || flags.page !== undefined) {
      const page = pageAsked(recording, flags, refuse);
      const { askRecording } = await import('./who_recording.ts');
      await askRecording(recording!, page, flags as RecordingFlags);
      return;
    }
    const foreign = command.options.find(
      (option) => command.getOptionValueSource(option.attributeName()) === 'cli' && !HOST_WORDS.includes(option.long!),
    );
    if (foreign !== undefined) refuse(`${foreign.long} is about a recording, and there is none`);
    const { askHost } = await import('./who_host.ts');
    await askHost(questionOf(flags, refuse), flags);
  });
}

function pageAsked(recording: string | undefined, flags: WhoFlags, refuse: (why: string) => never) {
  const other = HOST_WORDS.find((word) => !['--pid', '--json'].includes(word) && flagOf(flags, word) !== undefined);
  if (other !== undefined) refuse(`${other} is about a host, not about a recording`);
  if (recording === undefined) refuse("--page is about a recording: missing argument 'recording'");
  return flags.page ?? refuse("required option '--page <page>' not specified");
}

function flagOf(flags: WhoFlags, word: string): unknown {
  const name = word.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return flags[name as keyof WhoFlags];
}

function questionOf(flags: WhoFlags, refuse: (why: string) => never): WhoQuestion {
  const { pid, addr, pfn, file, offset, sharedWith } = flags;
  const asked = ['--addr', '--pfn', '--file', '--shared-with'].filter((word) => flagOf(flags, word) !== undefined);
  if (asked.length > 1) refuse(`${asked.join(' and ')} are ${asked.length} questions: ask one at a time`);
  if (offset !== undefined && file === undefined) refuse('--offset is a place in a file: --file says which');
  if (pid !== undefined && addr === undefined)
    refuse(
      asked.length > 0
        ? `--pid does not go with ${asked[0]}`
        : '--pid alone asks nothing: --addr says where (or --shared-with PID)',
    );
  if (pfn !== undefined) return { kind: 'frame', pfn };
  if (file !== undefined) return { kind: 'file', path: file, offset: offset ?? null };
  if (sharedWith !== undefined) return { kind: 'shared', pid: sharedWith };
  if (addr === undefined)
    return refuse('which page? --pid P --addr A, --pfn N, --file PATH, --shared-with P, or RECORDING --page');
  return { kind: 'address', pid: pid ?? refuse('--addr is an address of a process: --pid says which'), address: addr };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number.');
  return Number(text);
}

function numberOf(text: string): number {
  const value = /^(0x[0-9a-f]{1,13}|\d{1,15})$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('A whole number: 4096, or 0x1000.');
  return value;
}
