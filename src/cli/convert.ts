/** `revmap convert IN OUT`: other tools' files into recordings, and recordings into other tools' files. */
import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { formatSize } from '../lab/options.ts';
import { pageStream } from '../lab/page_stream.ts';
import { writePageTrace } from '../lab/page_trace.ts';
import { InputError } from '../mm/bug.ts';
import { convertToRecording } from '../trace/convert.ts';
import { writeLackey } from '../trace/lackey_write.ts';
import { OutputFile } from '../trace/output.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { FILE_IS, type FileFlags, formatOption } from './arguments.ts';
import { unseenText } from './info.ts';

const TARGETS = ['recording', 'lackey', 'oracleGeneral', 'csv', 'txt'] as const;
type Target = (typeof TARGETS)[number];

interface ConvertFlags extends FileFlags {
  to?: Target;
}

export function addConvert(program: Command): void {
  program
    .command('convert')
    .description("write another tool's file as a recording, or a recording as another tool's file")
    .argument('<in>', FILE_IS)
    .argument('<out>', 'what to write: .gz packs it; - is standard output, except for a recording')
    .addOption(formatOption())
    .addOption(new Option('--to <kind>', 'what to write; by the name of OUT without it').choices([...TARGETS]))
    .action(async (file: string, out: string, flags: ConvertFlags) => {
      const target = flags.to ?? targetOf(out);
      refuseSame(file, out);
      if (target === 'recording') await toRecording(file, out, flags);
      else await exportTo(file, out, target, flags);
    });
}

/** `x.csv.gz` is csv; what is nothing else is a recording. */
function targetOf(out: string): Target {
  const words = out
    .toLowerCase()
    .replace(/\.gz$/, '')
    .replace(/\.bin$/, '')
    .split('.');
  return TARGETS.find((target) => target.toLowerCase() === words.at(-1)) ?? 'recording';
}

/** The input would be gone before the output is known to be good. */
function refuseSame(file: string, out: string): void {
  const [from, to] = [file, out].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (to?.isDirectory() === true) throw new InputError(out, 0, 'is a folder');
  if (from === undefined || to === undefined || from.ino !== to.ino || from.dev !== to.dev) return;
  throw new InputError(out, 0, 'is the input itself');
}

async function toRecording(file: string, out: string, flags: ConvertFlags): Promise<void> {
  if (out === '-') throw new InputError('-', 0, 'a recording begins with what is known at its end: it needs a file');
  const { format, facts, bytes } = await convertToRecording(file, out, flags.format ?? null);
  const said = [
    `${out}: ${formatSize(bytes)}, read as ${format.kind}`,
    ...unseenText(facts.cutShort, facts.unseen).slice(1),
  ];
  process.stderr.write(`revmap: ${said.join('\n')}\n`);
}

async function exportTo(
  file: string,
  out: string,
  target: Exclude<Target, 'recording'>,
  flags: ConvertFlags,
): Promise<void> {
  const recording = await openRecording(file, flags.format ?? null);
  try {
    const output = new OutputFile(out);
    try {
      if (target === 'lackey') writeLackey(recording, output);
      else writePageTrace(pageStream(recording, surveyRecording(recording)), target, output);
      output.finish();
    } catch (error) {
      output.abandon();
      // Whoever closes the pipe has had enough.
      if (out === '-' && (error as NodeJS.ErrnoException).code === 'EPIPE') return;
      throw error;
    }
    process.stderr.write(`revmap: ${out}: ${formatSize(output.bytes)} as ${target}\n`);
  } finally {
    closeRecording(recording);
  }
}
