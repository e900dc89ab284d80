/**
 * The simulated machine that a command asks about: a recording, replayed to a step.
 *
 * Owns      `--at`, with the options of the machine and of its input.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Replay } from '../lab/replay.ts';
import { startReplay } from '../lab/run.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import {
  addLimit,
  addMachineOptions,
  type FileFlags,
  formatOption,
  type MachineFlags,
  machineOptions,
} from './arguments.ts';

export interface MachineAtFlags extends MachineFlags, FileFlags {
  /** Steps; infinite for the end, before the program exits. */
  at: number;
  limit?: number;
}

/** `steps`: what they are, for people. */
export function addMachineAt(command: Command, steps = 'page events'): Command {
  const help = `after so many ${steps}, or 'end': before the program exits`;
  const at = new Option('--at <step>', help).argParser(stepOf).default(Number.POSITIVE_INFINITY, 'end');
  return addLimit(addMachineOptions(command.addOption(formatOption()).addOption(at)));
}

function stepOf(text: string): number {
  if (text === 'end') return Number.POSITIVE_INFINITY;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("A whole number, or 'end'.");
  return Number(text);
}

export async function machineAt(path: string, flags: MachineAtFlags): Promise<Replay> {
  const recording = await openRecording(path, flags.format ?? null);
  const options = { ...machineOptions(flags), limitBytes: flags.limit ?? null };
  const replay = startReplay(recording, surveyRecording(recording), options);
  replay.run(flags.at, true);
  closeRecording(recording);
  return replay;
}
