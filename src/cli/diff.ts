/** `revmap diff A B`: what changed between two snapshots, or since one. */
import type { Command } from 'commander';
import { diffSnapshots } from '../host/diff/diff.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { wholeNumber } from './arguments.ts';
import { describeDiff } from './diff_text.ts';
import { aboutHost } from './frames.ts';
import { hostNotes, hostSnapshot } from './host_source.ts';
import { columns, print, printJson, wrapped } from './output.ts';
import { withCache } from './snapshot.ts';

interface DiffFlags {
  top: number;
  json?: boolean;
}

const TOP = 10;

export function addDiff(program: Command): void {
  program
    .command('diff')
    .description('what changed between two snapshots: processes, pages, mappings, files, frames, counters')
    .argument('<a>', 'a snapshot (revmap snapshot -o)')
    .argument('[b]', 'a later one; this host as it is now without it')
    .option('--top <n>', 'how many changes of each sort', wholeNumber(1, 1_000_000), TOP)
    .option('--json', 'the answer as JSON, with all changes')
    .action(async (fileA: string, fileB: string | undefined, flags: DiffFlags) => {
      const a = await hostSnapshot({ from: fileA });
      const b = fileB === undefined ? await thisHost(a) : await hostSnapshot({ from: fileB });
      const diff = diffSnapshots(a, b);
      if (flags.json === true) {
        printJson({ before: aboutHost(a), after: aboutHost(b), ...diff });
        return;
      }
      const width = columns(100);
      const notes = new Set([a, b].flatMap(hostNotes));
      print([describeDiff(a, b, diff, flags.top, width), ...[...notes].map((note) => wrapped(note, width))].join('\n'));
    });
}

/** With the parts that the file has, and no others. */
async function thisHost({ frames, processes, entries, cache }: HostSnapshot): Promise<HostSnapshot> {
  const snapshot = await hostSnapshot(
    {},
    {
      frames: frames === null ? 'none' : 'all',
      entries: entries.count > 0,
      rollups: processes.some(({ rollup }) => rollup !== null),
    },
  );
  return cache === null ? snapshot : withCache(snapshot, undefined);
}
