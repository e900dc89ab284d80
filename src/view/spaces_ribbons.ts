/**
 * The picture of address spaces: which stand on one axis, and what is in each cell of it.
 *
 * Owns      the groups: processes of one origin have their regions at the same addresses, and share an axis; others have their own.
 * Promises  1. Every asked process that is there is in one group, in the order of the question.
 *           2. Of an address space with very many regions those around `address` are shown, and `leftOut` says how many are not.
 */
import { vpnOf } from '../mm/units.ts';
import { type Axis, type Extent, layAxis, pageOfCell } from './spaces_axis.ts';
import { type Backing, type Cells, newCells, type Outline, PageSums } from './spaces_form.ts';
import { addHostPages, hostOutline, processNamed } from './spaces_host.ts';
import { addMachinePages, machineOutline } from './spaces_machine.ts';
import type { Subject } from './subject.ts';

export interface RibbonVma extends Extent {
  readonly perms: string;
  readonly backing: Backing;
  readonly name: string;
  readonly flags: readonly string[];
}

export interface Ribbon {
  readonly pid: number;
  readonly comm: string;
  readonly vmas: readonly RibbonVma[];
  readonly leftOut: number;
}

export interface RibbonMark {
  readonly name: string;
  readonly page: number;
}

export interface RibbonGroup {
  readonly axis: Axis;
  readonly ribbons: readonly Ribbon[];
  /** Of the first process. */
  readonly marks: readonly RibbonMark[];
  /** Cell c of ribbon r is at r * axis.cells + c. */
  readonly cells: Cells;
}

/** More are no picture. */
const MOST_VMAS = 1200;
/** What two processes must have in common to stand on one axis. */
const SAME_PLACES = 0.5;

export function ribbonGroups(
  subject: Subject,
  pids: readonly number[],
  width: number,
  address: number | null,
): RibbonGroup[] {
  const groups: { starts: ReadonlySet<number>; members: { space: Outline; ribbon: Ribbon }[] }[] = [];
  for (const pid of pids) {
    const space = subject.kind === 'machine' ? machineOutline(subject, pid) : hostOutline(subject, pid);
    if (space === null) continue;
    const ribbon = ribbonOf(space, address);
    const starts = new Set(ribbon.vmas.map(({ startPage }) => startPage));
    const group = groups.find((one) => isAlike(one.starts, starts));
    if (group === undefined) groups.push({ starts, members: [{ space, ribbon }] });
    else group.members.push({ space, ribbon });
  }
  return groups.map(({ members }): RibbonGroup => {
    const axis = layAxis(
      members.map(({ ribbon }) => ribbon.vmas),
      width,
    );
    return {
      axis,
      ribbons: members.map(({ ribbon }) => ribbon),
      marks: members[0]!.space.marks.map(({ name, address }) => ({ name, page: vpnOf(address) })),
      cells: cellsOf(
        subject,
        axis,
        members.map(({ ribbon }) => ribbon),
      ),
    };
  });
}

function isAlike(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  let common = 0;
  for (const start of b) if (a.has(start)) common += 1;
  return common > 0 && common >= SAME_PLACES * Math.min(a.size, b.size);
}

function ribbonOf({ pid, comm, vmas }: Outline, address: number | null): Ribbon {
  const chosen =
    address === null
      ? 0
      : Math.max(
          0,
          vmas.findIndex(({ end }) => end > address),
        );
  const first = Math.max(0, Math.min(chosen - MOST_VMAS / 2, vmas.length - MOST_VMAS));
  const shown = vmas.slice(first, first + MOST_VMAS);
  return {
    pid,
    comm,
    leftOut: vmas.length - shown.length,
    vmas: shown.map(({ start, end, perms, backing, name, flags }) => ({
      startPage: vpnOf(start),
      endPage: vpnOf(end),
      perms,
      backing,
      name,
      flags: flags ?? [],
    })),
  };
}

function cellsOf(subject: Subject, axis: Axis, ribbons: readonly Ribbon[]): Cells {
  const cells = newCells(ribbons.length * axis.cells);
  ribbons.forEach(({ pid }, row) => {
    const add = adder(subject, pid);
    for (const piece of axis.pieces) {
      for (let cell = 0; cell < piece.cells; cell++) {
        const from = pageOfCell(piece, cell);
        const to = pageOfCell(piece, cell + 1);
        const sums = new PageSums();
        add(from, to, sums);
        sums.fill(cells, row * axis.cells + piece.firstCell + cell, to - from);
      }
    }
  });
  return cells;
}

function adder(subject: Subject, pid: number): (from: number, to: number, sums: PageSums) => void {
  if (subject.kind === 'machine') {
    const { machine } = subject;
    const { mm } = subject.living.find((one) => one.pid === pid)!;
    return (from, to, sums) => addMachinePages(machine, mm, from, to, sums);
  }
  const process = processNamed(subject, pid)!;
  return (from, to, sums) => addHostPages(subject, process, from, to, sums);
}
