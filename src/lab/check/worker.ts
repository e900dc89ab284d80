/** The entry of a worker that checks programs: a few at a time, all answered together. */
import { parentPort } from 'node:worker_threads';
import { InputError } from '../../mm/bug.ts';
import { type BatchAnswer, type BatchTask, checkFile, type FileOutcome } from './batch.ts';
import { RecordingFinder } from './files.ts';

const finder = new RecordingFinder();

function answer({ files, options }: BatchTask): BatchAnswer {
  const outcomes: FileOutcome[] = [];
  try {
    for (const file of files) outcomes.push(checkFile(file, finder, options));
  } catch (error) {
    if (error instanceof InputError) return { outcomes, refused: error.message };
    throw error;
  }
  return { outcomes, refused: null };
}

parentPort?.on('message', (task: BatchTask) => parentPort?.postMessage(answer(task)));
