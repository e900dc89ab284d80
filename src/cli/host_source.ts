/**
 * Where a host command gets its snapshot: the host that runs us, or a file that `revmap snapshot -o` wrote.
 *
 * Owns      `--from`, the bar while a live host is read, and the lines under every answer that say what is not in it.
 * Promises  An answer that could be otherwise because something was refused or moved says so; one that could not says nothing.
 */
import { type Command, Option } from 'commander';
import { readSnapshotFile } from '../host/file/snapshot_store.ts';
import { LiveHost } from '../host/live_host.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import type { Changes, HostSnapshot, Missing } from '../host/snapshot.ts';
import { printable } from '../trace/error.ts';
import { columns, Progress, plural, wrapped } from './output.ts';

export interface HostSourceFlags {
  from?: string;
}

export function addHostSource(command: Command): Command {
  return command.addOption(new Option('--from <file>', 'a snapshot (revmap snapshot -o) instead of this host'));
}

/** The file, or this host with the parts that `options` name. */
export async function hostSnapshot(flags: HostSourceFlags, options: TakeOptions = {}): Promise<HostSnapshot> {
  if (flags.from !== undefined) return readSnapshotFile(flags.from);
  const progress = new Progress();
  const show = (done: number, of: number) =>
    progress.show(of === 0 ? 1 : done / of, `${done} of ${plural(of, 'process', 'processes')}`);
  try {
    return new LiveHost().snapshot({ progress: show, ...options });
  } finally {
    progress.done();
  }
}

/** What was missing and what changed, each in lines of `width`; '' if nothing. */
export function hostFooter(host: Pick<HostSnapshot, 'missing' | 'changes'>, width = columns(100)): string {
  return hostNotes(host)
    .map((note) => `${wrapped(note, width)}\n`)
    .join('');
}

/** The same, unbroken. */
export function hostNotes({ missing, changes }: Pick<HostSnapshot, 'missing' | 'changes'>): string[] {
  return [...missingLines(missing), ...changeLines(changes)];
}

/** What a machine's kernel has no file for is there all the same (of_machine.ts). */
const COMPUTED = 'computed: ';

function missingLines(missing: readonly Missing[]): string[] {
  const shown = missing.filter(({ why }) => why !== 'not asked for');
  const isComputed = ({ why }: Missing) => why.startsWith(COMPUTED);
  const refused = shown.filter((one) => !isComputed(one)).map(missingText);
  const computed = shown.filter(isComputed);
  const reasons = [...new Set(computed.map(({ why }) => why))];
  const whatOf = (reason: string) => computed.filter(({ why }) => why === reason).map(({ what }) => printable(what));
  return [
    ...(refused.length === 0 ? [] : [`not seen: ${refused.join(', ')}`]),
    ...reasons.map((why) => `computed: ${whatOf(why).join(', ')} (${printable(why.slice(COMPUTED.length))})`),
  ];
}

function missingText({ what, why, count }: Missing): string {
  return `${printable(what)} ${count > 1 ? `of ${count} ` : ''}(${printable(why)})`;
}

function changeLines({ processesGone, processesReread, processesUnsteady, entriesStale }: Changes): string[] {
  const parts = [
    processesGone > 0 ? `${plural(processesGone, 'process', 'processes')} ended` : '',
    processesReread > 0
      ? `${plural(processesReread, 'process', 'processes')} moved and ${processesReread === 1 ? 'was' : 'were'} read again`
      : '',
    processesUnsteady.length > 0 ? `still moving: pid ${processesUnsteady.join(', ')}` : '',
    entriesStale > 0 ? `${plural(entriesStale, 'page')} freed meanwhile` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? [] : [`while we read: ${parts.join(', ')}`];
}
