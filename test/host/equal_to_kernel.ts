/**
 * PSS and USS as we count them, beside /proc/PID/smaps_rollup read before and after: what moved meanwhile is told apart from
 * what is wrong. On a busy host every fork and exit moves the share of each page of libc, so a round is repeated.
 */

import { ProcessCosts } from '../../src/host/cost/ps.ts';
import { parseKbFields } from '../../src/host/read/fields_text.ts';
import { HostFiles, Refusal } from '../../src/host/read/host_files.ts';
import { takeSnapshot } from '../../src/host/read/take.ts';
import type { HostSnapshot } from '../../src/host/snapshot.ts';

const COMPARED = ['Rss', 'Pss', 'Private_Clean', 'Private_Dirty', 'SwapPss'];

export interface Compared {
  readonly pid: number;
  readonly startTicks: number;
  readonly comm: string;
  /** `moved`: the kernel's own figures are others after than before. */
  readonly verdict: 'equal' | 'moved' | 'differs';
  readonly differs: readonly string[];
}

export interface Round {
  readonly costs: ProcessCosts;
  readonly snapshot: HostSnapshot;
  readonly compared: readonly Compared[];
  /** Processes whose page map or rollup we may not read. */
  readonly hidden: number;
}

export function compareRound(files = new HostFiles()): Round {
  const snapshot = takeSnapshot(files);
  const after = new Map(snapshot.processes.map(({ pid }) => [pid, files.bytes(files.inProc(pid, 'smaps_rollup'))]));
  const costs = new ProcessCosts(snapshot);
  const compared: Compared[] = [];
  let hidden = 0;
  for (const [i, row] of costs.rows.entries()) {
    const { rollup, isKernelThread } = snapshot.processes[i]!;
    const later = after.get(row.pid)!;
    if (isKernelThread || row.rss_bytes === null) continue;
    if (rollup === null || row.source !== 'pages') {
      hidden += 1;
      continue;
    }
    const fields = later instanceof Refusal ? null : parseKbFields(later);
    const stayed = fields !== null && COMPARED.every((name) => fields.get(name) === rollup.get(name));
    const verdict = row.differs.length === 0 ? 'equal' : stayed && !row.unsteady ? 'differs' : 'moved';
    compared.push({ pid: row.pid, startTicks: row.start_ticks, comm: row.comm, verdict, differs: row.differs });
  }
  return { costs, snapshot, compared, hidden };
}

/** Rounds until every process was equal once, at most `most`; how each stands at the end: its best. */
export function compareRounds(most: number, isEnough: (left: readonly Compared[]) => boolean): Tally {
  const best = new Map<string, Compared>();
  const rounds: Round[] = [];
  for (;;) {
    const round = compareRound();
    rounds.push(round);
    const alive = new Set(round.compared.map(keyOf));
    for (const key of best.keys()) if (!alive.has(key) && best.get(key)!.verdict !== 'equal') best.delete(key);
    for (const each of round.compared) {
      if (best.get(keyOf(each))?.verdict !== 'equal') best.set(keyOf(each), each);
    }
    const left = [...best.values()].filter(({ verdict }) => verdict !== 'equal');
    if (rounds.length >= most || isEnough(left)) return { best: [...best.values()], rounds };
  }
}

/** What is wrong is wrong in the same way each time; a share that came and went between two looks is not. */
export function wrongTwice({ rounds }: Tally): Compared[] {
  const seen = new Set<string>();
  const wrong: Compared[] = [];
  for (const each of rounds.flatMap(({ compared }) => compared)) {
    if (each.verdict !== 'differs') continue;
    const said = `${keyOf(each)} ${each.differs.join()}`;
    if (seen.has(said)) wrong.push(each);
    seen.add(said);
  }
  return wrong;
}

export interface Tally {
  /** Of each process that was there to the end, or was equal while it was there. */
  readonly best: readonly Compared[];
  readonly rounds: readonly Round[];
}

function keyOf({ pid, startTicks }: Compared): string {
  return `${pid} ${startTicks}`;
}
