/** Hosts that are only frames: words of any flags in zones of any place. */
import fc from 'fast-check';
import { FrameTableBuilder, SnapshotBuilder } from '../../src/host/builder.ts';
import type { HostSnapshot } from '../../src/host/snapshot.ts';

export interface MadeUpZone {
  readonly node: number;
  readonly zone: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present?: number;
  readonly managed?: number;
}

export interface MadeUpFrame {
  readonly word: bigint;
  readonly mapcount?: number;
  /** Row of the cgroups. */
  readonly owner?: number;
}

export const CGROUPS = ['/', '/a', '/a/b', '/ab'];

export function zoneText({ node, zone, startPfn, spanned, present = spanned, managed = spanned }: MadeUpZone): string {
  return `Node ${node}, zone ${zone.padStart(8)}\n  pages free     1\n        min      1\n        spanned  ${spanned}\n        present  ${present}\n        managed  ${managed}\n  start_pfn:           ${startPfn}\n`;
}

export function hostOfFrames(
  frames: readonly MadeUpFrame[],
  zones: readonly MadeUpZone[] = [],
  texts: Readonly<Record<string, string>> = {},
): HostSnapshot {
  const table = new FrameTableBuilder(frames.length);
  frames.forEach(({ word, mapcount = 0, owner }, pfn) => {
    table.set(pfn, word, mapcount, owner);
  });
  return new SnapshotBuilder().finish({
    source: 'live',
    takenAtMs: 0,
    tookMs: 0,
    kernel: '6.18',
    hostname: 'frames',
    redacted: false,
    texts: new Map(Object.entries({ zoneinfo: zones.map(zoneText).join(''), ...texts })),
    frames: table.finish(),
    cgroups: CGROUPS.map((path, i) => ({ inode: i + 1, path, texts: new Map() })),
  });
}

/** Bits that occur together and bits that never should. */
const word = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0x400n) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(0n, 0x80n, 0x4000000n, 0x100000000n, 0x5828n, 0x405828n, 0x40000086cn, 0x44878n),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);

export const anyFrame: fc.Arbitrary<MadeUpFrame> = fc.record({
  word,
  mapcount: fc.oneof(fc.constant(0), fc.nat(9), fc.nat(2 ** 32 - 1)),
  owner: fc.constantFrom(0, 1, 2, 3, 0xffff),
});

/** Runs of frames that are alike, as memory is. */
export const anyFrames: fc.Arbitrary<MadeUpFrame[]> = fc
  .array(fc.tuple(anyFrame, fc.oneof(fc.nat(3), fc.nat(700))), { maxLength: 12 })
  .map((runs) => runs.flatMap(([frame, n]) => Array.from({ length: n }, () => frame)));

/** Zones side by side with gaps, or across each other. */
export const anyZones: fc.Arbitrary<MadeUpZone[]> = fc.array(
  fc.record({
    node: fc.nat(1),
    zone: fc.constantFrom('DMA', 'Normal'),
    startPfn: fc.nat(2500),
    spanned: fc.integer({ min: 1, max: 1500 }),
  }),
  { maxLength: 4 },
);
