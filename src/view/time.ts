/**
 * What the Time view asks: the curves, the events around the place, the lines and steps there, the zones that a condition may be about.
 */
import { InputError } from '../mm/bug.ts';
import { stateHash } from '../mm/snapshot.ts';
import type { KindName } from './conditions.ts';
import type { MachineSubject, Subject } from './subject.ts';
import { type EventLog, eventLog, type NearbyRow, nearbySteps, type ProgramLine, programLines } from './time_log.ts';
import type { Column, Line } from './time_series.ts';

export interface SeriesAnswer {
  /** Samples go on until the run has been at its end. */
  readonly done: boolean;
  /** Steps between two samples. */
  readonly every: number;
  readonly step: Float64Array;
  readonly clockNs: Float64Array;
  readonly columns: readonly (Column & { readonly values: Float64Array })[];
  readonly lines: readonly Line[];
}

export interface ZoneMarks {
  readonly index: number;
  readonly name: string;
  readonly freePages: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
}

export interface MarksAnswer {
  /** Ascending. */
  readonly at: readonly number[];
  /** About the first step at which it happens; null: at none that was looked at. */
  readonly first: number | null;
}

function series(subject: Subject): SeriesAnswer {
  const { series } = machineOf(subject);
  return {
    done: series.done,
    every: series.every,
    step: series.column('step'),
    clockNs: series.column('clock'),
    columns: series.columns.map((column, n) => ({ ...column, values: series.column(n) })),
    lines: [...series.lines],
  };
}

/** Of `most` steps cut into so many stretches, those in which the kind of event happens; `_looked` makes the question another one. */
function marks(subject: Subject, kind: KindName, most: number, stretches: number, _looked: number): MarksAnswer {
  const { series } = machineOf(subject);
  const column = series.columns.findIndex(({ id }) => id === kind);
  const at = new Set<number>();
  let first: number | null = null;
  if (column >= 0) {
    const steps = series.column('step');
    const counts = series.column(column);
    for (let row = 1; row < steps.length; row++) {
      if (counts[row]! <= counts[row - 1]!) continue;
      first ??= steps[row]!;
      const to = Math.min(stretches - 1, Math.floor((steps[row]! / Math.max(1, most)) * stretches));
      at.add(to);
    }
  }
  return { at: [...at], first };
}

function zones(subject: Subject): ZoneMarks[] {
  return machineOf(subject)
    .machine.zones.filter(({ managedPages }) => managedPages > 0)
    .map(({ index, name, freePages, wmarkMin, wmarkLow, wmarkHigh }) => ({
      index,
      name,
      freePages,
      min: wmarkMin,
      low: wmarkLow,
      high: wmarkHigh,
    }));
}

/** 16 digits over all of the machine: equal states have equal ones, in Node and in a browser. */
function hashOfState(subject: Subject): string {
  return stateHash(machineOf(subject).machine);
}

function machineOf(subject: Subject): MachineSubject {
  if (subject.kind === 'host') throw new InputError('this page', 0, 'a snapshot is one moment: it has no time');
  return subject;
}

export const timeQueries = {
  series,
  marks,
  zoneMarks: zones,
  hashOfState,
  eventLog: (subject: Subject, most: number): EventLog => eventLog(machineOf(subject), most),
  nearbySteps: (subject: Subject): NearbyRow[] => nearbySteps(machineOf(subject)),
  lineResults: (subject: Subject): ProgramLine[] => programLines(machineOf(subject)),
} as const;
