/** The entry of a worker that replays: one machine at a time, each result sent back as it is ready. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerAnswer, WorkerData, WorkerTask } from './pool.ts';
import { runRecording } from './run.ts';

const { recording, survey } = workerData as WorkerData;

parentPort?.on('message', ({ id, options }: WorkerTask) => {
  const say = (answer: WorkerAnswer) => parentPort?.postMessage(answer);
  const result = runRecording(recording, survey, options, (share) => say({ id, share }));
  say({ id, result });
});
