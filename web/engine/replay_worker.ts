/** A worker that replays: it is given a recording once, and then runs of it, one after the other. */
import type { Run } from '../../src/lab/configuration_run.ts';
import type { TimedResult } from '../../src/lab/result.ts';
import { runRecording } from '../../src/lab/run.ts';
import type { Recording } from '../../src/trace/bodies.ts';
import type { Survey } from '../../src/trace/survey.ts';
import { exposeToPage } from './expose.ts';

export interface Material {
  readonly recording: Recording;
  readonly survey: Survey;
}

let material: Material | null = null;

const remote = {
  take: (given: Material): void => {
    material = given;
  },
  run: (run: Run, onShare: (share: number) => void): TimedResult =>
    runRecording(material!.recording, material!.survey, run, onShare),
};

export type Replaying = typeof remote;

exposeToPage(remote);
