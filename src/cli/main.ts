/**
 * The command `revmap`.
 *
 * Owns      the list of commands, and what their exit codes mean: 0 done, 1 it failed, 2 the question was wrong
 *           (and 130 a sweep was ended: sweep_work.ts).
 * Promises  What the user can mend is one line on stderr. What is our fault shows where in the code it went wrong.
 */
import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { endQuietlyOnClosedPipe } from './terminal.ts';

/** Each in a file of its own, which is loaded when it is asked for: `who` has no use for the engine. In the order of --help. */
const COMMANDS: readonly (readonly [name: string, add: (program: Command) => Promise<void>])[] = [
  ['record', async (program) => (await import('./record.ts')).addRecord(program)],
  ['run', async (program) => (await import('./run.ts')).addRun(program)],
  ['sweep', async (program) => (await import('./sweep.ts')).addSweep(program)],
  ['worker', async (program) => (await import('./worker.ts')).addWorker(program)],
  ['curve', async (program) => (await import('./curve.ts')).addCurve(program)],
  ['query', async (program) => (await import('./query.ts')).addQuery(program)],
  ['compare', async (program) => (await import('./compare.ts')).addCompare(program)],
  ['info', async (program) => (await import('./info.ts')).addInfo(program)],
  ['convert', async (program) => (await import('./convert.ts')).addConvert(program)],
  ['who', async (program) => (await import('./who.ts')).addWho(program)],
  ['ps', async (program) => (await import('./ps.ts')).addPs(program)],
  ['files', async (program) => (await import('./files.ts')).addFiles(program)],
  ['frames', async (program) => (await import('./frames.ts')).addFrames(program)],
  ['diff', async (program) => (await import('./diff.ts')).addDiff(program)],
  ['snapshot', async (program) => (await import('./snapshot.ts')).addSnapshot(program)],
  ['proc', async (program) => (await import('./proc.ts')).addProc(program)],
  ['serve', async (program) => (await import('./serve.ts')).addServe(program)],
  ['check', async (program) => (await import('./check.ts')).addCheck(program)],
  ['fuzz', async (program) => (await import('./fuzz.ts')).addFuzz(program)],
  ['measure', async (program) => (await import('./measure.ts')).addMeasure(program)],
  ['demo', async (program) => (await import('./demo.ts')).addDemo(program)],
];

const FAILED = 1;
const WRONG_QUESTION = 2;

const program = new Command('revmap');
program.description("Linux's memory manager, as a system you can run and question");
program.version(manifest.version);
program.exitOverride();
program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'revmap: ')) });

endQuietlyOnClosedPipe();
try {
  await addAsked(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has said it; help and version end well.
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_QUESTION;
  } else {
    process.stderr.write(
      `revmap: ${isTheUsers(error) ? error.message : error instanceof Error ? error.stack : error}\n`,
    );
    process.exitCode = FAILED;
  }
}

/** The command whose name stands first; without one, all: what is said then (help, a name nearly right) is about each. */
async function addAsked(first: string | undefined): Promise<void> {
  if (first === '--version' || first === '-V') return;
  const asked = COMMANDS.filter(([name]) => name === first);
  for (const [, add] of asked.length > 0 ? asked : COMMANDS) await add(program);
}

/** A bad file, a bad argument, or something that the operating system refused. */
function isTheUsers(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return error.name === 'RecordingError' || error.name === 'InputError' || 'errno' in error;
}
