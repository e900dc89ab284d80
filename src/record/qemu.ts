/**
 * The fast recorder: qemu-x86_64 with our plugin, which reduces accesses to pages inside the program.
 *
 * Owns      how QEMU is started, and the words for what the plugin noticed but could not record.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { ProgramImage } from '../trace/recording.ts';
import type { RecordingFacts, RecordingWriter } from '../trace/write.ts';
import { runChild } from './child.ts';
import { RecordError } from './error.ts';
import { compiledPlugin } from './plugin.ts';
import { type Command, findProgram, isSetuid } from './programs.ts';
import type { Recorded, RecordOptions } from './record.ts';
import { Spool } from './spool.ts';

export interface RecordRun {
  command: Command;
  options: RecordOptions;
  writer: RecordingWriter;
  onProgress(accesses: number): void;
}

export type RecorderFound = Recorded & { facts: RecordingFacts };

/** By the bits of UNSEEN_ in recorder/recorder.h. */
const UNSEEN = [
  'part of a thread: a file for it could not be made (chroot, or no space in the temporary folder)',
  'a program for another architecture was started: it ran, and was not recorded',
  'a set-user-ID program was started: it was recorded, but ran without the rights of its owner',
  'io_uring: what the kernel reads and writes for it on its own is not seen',
  'System V shared memory: what others do in it is not seen',
  'userfaultfd: faults that the program answers itself are not replayed',
  'ptrace or process_vm_writev: what one process does in the memory of another is not seen',
  'the vdso: QEMU has none, so the program asked for the time by system calls',
  'buffers of readv, writev, sendmsg and recvmsg: their addresses are not recorded',
  'files mapped as shared and writable: what programs outside of the recording do with them is not seen',
] as const;

export async function recordWithQemu(run: RecordRun): Promise<RecorderFound> {
  const { command, options, writer } = run;
  const qemu = findProgram('qemu-x86_64');
  if (qemu === null) {
    throw new RecordError(
      'no qemu-x86_64 to record with; Debian has it in the package qemu-user (or valgrind, with --recorder lackey)',
    );
  }
  const plugin = compiledPlugin();
  const spool = new Spool(writer);
  try {
    const words = [
      [plugin, `folder=${spool.folder}`, `window=${options.window}`, `plugin=${plugin}`, `qemu=${qemu}`]
        .map(escaped)
        .join(','),
    ];
    const args = ['-plugin', ...words, '-0', command.argv0, command.file, ...command.args];
    const output = options.outputToStderr ? 2 : 'inherit';
    const ended = await runChild(qemu, args, ['inherit', output, 'inherit'], (child) => {
      if (child.pid !== undefined) spool.begins(child.pid);
      return {
        poll: () => {
          spool.take();
          run.onProgress(spool.counts.accesses);
        },
        living: () => recordedInto(spool.folder),
        stop: () => spool.stop(),
      };
    });
    spool.takeRest();
    const images = spool.images();
    const first = images[0];
    if (first === undefined || first === null) {
      throw new RecordError(
        `nothing was recorded: ${qemu} ended with ${ended.signal ?? `status ${ended.code}`} before the program began`,
      );
    }
    return found(run, spool, first, images.slice(1), ended);
  } finally {
    spool.remove();
  }
}

/** QEMU separates its options by commas; a doubled one is a comma. */
function escaped(word: string): string {
  return word.replaceAll(',', ',,');
}

/** Who runs with our plugin: a child of the program as soon as it is forked, before it has written anything. */
function recordedInto(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isRecordedInto(folder, pid));
}

function isRecordedInto(folder: string, pid: number): boolean {
  try {
    if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`folder=${folder}`);
  } catch {
    return false;
  }
}

const NO_IMAGE: ProgramImage = { command: '(not described)', elf: new Map(), maps: [] };

function found(
  { command, options, writer }: RecordRun,
  spool: Spool,
  first: ProgramImage,
  later: readonly (ProgramImage | null)[],
  ended: { code: number | null; signal: string | null; cutShort: string; leftRunning: number },
): RecorderFound {
  const { counts } = spool;
  const all = [...spool.processes.values()];
  const sum = (of: 'blocks' | 'reads' | 'writes' | 'instructions' | 'kept') => all.reduce((n, p) => n + p[of], 0);
  const unseen: string[] = UNSEEN.filter((_, bit) => (counts.unseen & (1 << bit)) !== 0);
  if (isSetuid(command.file)) unseen.push(UNSEEN[2]);
  if (ended.leftRunning > 0) {
    unseen.push(`what came after the first process ended: it left ${ended.leftRunning} running, and they were ended`);
  }
  const { cutShort } = ended;
  return {
    exit: { code: ended.code, signal: ended.signal },
    processes: spool.processes.size,
    threads: spool.threads.size,
    accesses: sum('blocks') + sum('reads') + sum('writes'),
    instructions: sum('instructions'),
    reads: sum('reads'),
    writes: sum('writes'),
    pageEvents: writer.events,
    syscalls: counts.calls,
    cutShort,
    unseen,
    facts: {
      ...first,
      name: basename(options.command[0]!),
      recorder: 'revmap, qemu-user and plugin',
      window: options.window,
      other: new Map(),
      laterImages: later.map((image) => image ?? NO_IMAGE),
      cutShort,
      unseen,
      parentOf: (pid) => spool.processes.get(pid)?.parent ?? -1,
      statsOf: (pid) => {
        const p = spool.processes.get(pid);
        if (p === undefined) return '';
        const { blocks, reads, writes, instructions, kept } = p;
        return `raw=${blocks + reads + writes} blocks=${blocks} reads=${reads} writes=${writes} instructions=${instructions} kept=${kept}`;
      },
    },
  };
}
