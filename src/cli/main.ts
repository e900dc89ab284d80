/**
 * The command `revmap`.
 *
 * Owns      the list of commands, and what their exit codes mean: 0 done, 1 it failed, 2 the question was wrong
 *           (and 130 a sweep was ended: sweep_work.ts).
 * Promises  What the user can mend is one line on stderr. What is our fault shows where in the code it went wrong.
 */
import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { addCheck } from './check.ts';
import { addCompare } from './compare.ts';
import { addConvert } from './convert.ts';
import { addCurve } from './curve.ts';
import { addDemo } from './demo.ts';
import { addDiff } from './diff.ts';
import { addFrames } from './frames.ts';
import { addFuzz } from './fuzz.ts';
import { addInfo } from './info.ts';
import { addMeasure } from './measure.ts';
import { endQuietlyOnClosedPipe } from './output.ts';
import { addQuery } from './query.ts';
import { addRecord } from './record.ts';
import { addRun } from './run.ts';
import { addSweep } from './sweep.ts';
import { addWho } from './who.ts';
import { addWorker } from './worker.ts';

const FAILED = 1;
const WRONG_QUESTION = 2;

const program = new Command('revmap');
program.description("Linux's memory manager, as a system you can run and question");
program.version(manifest.version);
program.exitOverride();
program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'revmap: ')) });
addRecord(program);
addRun(program);
addSweep(program);
addWorker(program);
addCurve(program);
addQuery(program);
addCompare(program);
addInfo(program);
addConvert(program);
addWho(program);
addCheck(program);
addFuzz(program);
addMeasure(program);
addFrames(program);
addDiff(program);
addDemo(program);

endQuietlyOnClosedPipe();
try {
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

/** A bad file, a bad argument, or something that the operating system refused. */
function isTheUsers(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return error.name === 'RecordingError' || error.name === 'InputError' || 'errno' in error;
}
