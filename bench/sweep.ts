/**
 * How long a sweep takes: 16 limits over recordings of 50 million page events, on 2 threads.
 *
 * Wall time counts what this computer did besides; CPU time is that of all threads of this process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { sweepRecording } from '../src/lab/sweep.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';
import { mixture, repeatedSqlite } from './recordings/made_up.ts';

const EVENTS = 50e6;
const LIMITS = 16;
const THREADS = 2;

const folder = mkdtempSync(join(tmpdir(), 'revmap-bench-'));
try {
  for (const [name, make] of Object.entries({ sqlite: repeatedSqlite, mixture })) {
    const path = join(folder, `${name}.rvm`);
    writeFileSync(path, await make(EVENTS));
    await measure(name, path, true);
    await measure(name, path, false);
    rmSync(path);
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(name: string, path: string, limitsOnly: boolean): Promise<void> {
  const opening = performance.now();
  const recording = await openRecording(path);
  const survey = surveyRecording(recording);
  let replays = 0;
  let last = 0;
  const sweeping = performance.now();
  const cpu = process.cpuUsage();
  const { unlimited, runs } = await sweepRecording(recording, survey, {
    ...MACHINE_DEFAULTS,
    limits: { count: LIMITS },
    limitsOnly,
    workers: THREADS,
    onProgress: ({ done }) => {
      // The searches are counted apart from the limits, from 0.
      replays += done < last ? done : done - last;
      last = done;
    },
  });
  const seconds = (performance.now() - sweeping) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  closeRecording(recording);
  const cpuSeconds = (user + system) / 1e6;
  const what = limitsOnly ? `${runs.length} limits` : `${runs.length} limits, searches and other settings`;
  console.log(
    `${name.padEnd(8)} ${(unlimited.events / 1e6).toFixed(1)} M events, ${(unlimited.peak_bytes / 2 ** 20).toFixed(0)} MiB, ${what}:` +
      ` ${replays} replays on ${THREADS} threads in ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU` +
      ` (${((unlimited.events * replays) / 1e6 / cpuSeconds).toFixed(0)} M events a second and core);` +
      ` opened and surveyed in ${((sweeping - opening) / 1000).toFixed(1)} s`,
  );
}
