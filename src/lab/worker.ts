/** The entry of a sweep's worker: one machine at a time, each result sent back as it is ready. */
import { parentPort, workerData } from 'node:worker_threads';
import { runRecording } from './run.ts';
import type { WorkerAnswer, WorkerData, WorkerTask } from './sweep.ts';

const { recording, survey, options } = workerData as WorkerData;

parentPort?.on('message', ({ id, limitBytes }: WorkerTask) => {
  const say = (answer: WorkerAnswer) => parentPort?.postMessage(answer);
  const result = runRecording(recording, survey, { ...options, limitBytes }, (share) => say({ id, share }));
  say({ id, result });
});
