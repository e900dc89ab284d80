/**
 * The picture of address spaces: which stand on one axis, and what is in each cell of it.
 *
 * Owns      the groups: processes of one origin have their regions at the same addresses, and share an axis; others have their own.
 * Promises  1. Every asked process that is there is in one group, that of the chosen page first.
 *           2. What is not shown of an address space is counted in `leftOut`.
 */
import { vpnOf } from '../mm/units.ts';
import type { Place } from './selection.ts';
import { type Axis, type Extent, layAxis, pageOfCell } from './spaces_axis.ts';
import { type Backing, type Cells, newCells, type Outline, PageSums, type Region } from './spaces_form.ts';
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

/** What a picture is asked for. */
export interface RibbonQuestion {
  /** In the order in which they are to stand. */
  readonly pids: readonly number[];
  /** These only if they stand on the axis of one of those. */
  readonly relatives: readonly number[];
  /** In pixels. */
  readonly width: number;
  /** Pages to be seen: the chosen one first, then those that map the same frame. */
  readonly focus: readonly Place[];
}

/** A region for each pixel of a line, and no less than these; more are no picture. */
const FEW_VMAS = 240;
/** Regions before and behind the one that is looked at, of who only maps the same frame. */
const NEIGHBOURS = 2;
/** What two processes must have in common to stand on one axis. */
const SAME_PLACES = 0.5;

interface Family {
  readonly starts: ReadonlySet<number>;
  readonly outlines: Outline[];
}

export function ribbonGroups(subject: Subject, question: RibbonQuestion): RibbonGroup[] {
  const { pids, relatives, width, focus } = question;
  const families: Family[] = [];
  for (const pid of [...pids, ...relatives]) {
    const outline = subject.kind === 'machine' ? machineOutline(subject, pid) : hostOutline(subject, pid);
    if (outline === null) continue;
    const starts = new Set(outline.vmas.map(({ start }) => start));
    const family = families.find((one) => isAlike(one.starts, starts));
    if (family !== undefined) family.outlines.push(outline);
    else if (pids.includes(pid)) families.push({ starts, outlines: [outline] });
  }
  const chosen = focus[0]?.pid;
  const isChosen = ({ outlines }: Family) => outlines.some(({ pid }) => pid === chosen);
  families.sort((a, b) => Number(isChosen(b)) - Number(isChosen(a)));
  return families.map(({ outlines }, i): RibbonGroup => {
    const ribbons = outlines.map((outline) => {
      const addresses = focus.flatMap(({ pid, address }) => (pid === outline.pid ? [address] : []));
      // Another program is shown where it has the chosen frame, not from end to end.
      return i > 0 && addresses.length > 0
        ? excerpt(outline, addresses)
        : ribbonOf(outline, addresses[0] ?? null, Math.max(FEW_VMAS, width));
    });
    const axis = layAxis(
      ribbons.map(({ vmas }) => vmas),
      width,
    );
    const marks = outlines[0]!.marks.map(({ name, address }) => ({ name, page: vpnOf(address) }));
    return { axis, ribbons, marks, cells: cellsOf(subject, axis, ribbons) };
  });
}

function isAlike(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  let common = 0;
  for (const start of b) if (a.has(start)) common += 1;
  return common > 0 && common >= SAME_PLACES * Math.min(a.size, b.size);
}

function ribbonOf(outline: Outline, address: number | null, most: number): Ribbon {
  const { vmas } = outline;
  const at = address === null ? 0 : vmas.findIndex(({ end }) => end > address);
  const first = Math.max(0, Math.min(at - Math.floor(most / 2), vmas.length - most));
  return ribbonWith(outline, (_, i) => i >= first && i < first + most);
}

function excerpt(outline: Outline, addresses: readonly number[]): Ribbon {
  const places = addresses.map((address) => outline.vmas.findIndex(({ end }) => end > address));
  return ribbonWith(outline, (_, i) => places.some((at) => Math.abs(i - at) <= NEIGHBOURS));
}

function ribbonWith({ pid, comm, vmas }: Outline, isShown: (vma: Region, i: number) => boolean): Ribbon {
  const shown = vmas.filter(isShown);
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
