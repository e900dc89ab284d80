/** The entry of a thread that replays: one run at a time, each result sent back as it is ready. */
import { parentPort } from 'node:worker_threads';
import { runConfiguration } from './configuration_run.ts';
import type { Material, WorkerAnswer, WorkerTask } from './pool.ts';

let material: Material | null = null;

parentPort?.on('message', async (task: WorkerTask) => {
  const say = (answer: WorkerAnswer) => parentPort?.postMessage(answer);
  material = task.material ?? material;
  if (material === null) return;
  try {
    const { recording, survey } = material;
    say({ result: await runConfiguration(recording, survey, task.run, (share) => say({ share })) });
  } catch (error) {
    const { name, message, stack } = error as Error;
    say({ error: { name, message, stack } });
  }
});
