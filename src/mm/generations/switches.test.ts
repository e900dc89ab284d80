/** Every switch has the value of its release in every recipe, counted anew here from the release that brought the change. */
import { describe, expect, test } from 'vitest';
import type { Switches } from '../parts.ts';
import { isSince } from '../release.ts';
import { GENERATIONS } from './index.ts';

type Name = keyof Switches;
type Value = Switches[Name];

/** True since that release; `6.2`: since some release behind 6.1. */
const BROUGHT: Partial<Record<Name, string>> = {
  indexesAnon: '2.6',
  mergesFiles: '2.5',
  populateTouches: '2.5',
  writeNotify: '2.5',
  repeatEnds: '2.6.26',
  reclaimTellsPages: '2.6.26',
  unevictableList: '2.6.28',
  aroundLeavesMarker: '2.6.31',
  readaheadMayFail: '3.0',
  anonVmaReuse: '4.0',
  writesDoNotRefault: '4.4',
  chargesKernelMemory: '4.5',
  dataLimitCountsMappings: '4.7',
  mappedCountsAsHit: '4.8',
  mergeKeepsNext: '4.9',
  mlockCountsOnce: '4.9',
  mremapKeepsPrivate: '4.14',
  swapReadaheadMarksNew: '4.14',
  readaheadDropsLock: '5.1',
  readaheadStaysOutOfFs: '5.8',
  pagesPinInodes: '5.15',
  mlockBatch: '5.18',
  anonExclusive: '5.19',
  memfdExec: '6.3',
  perVmaLock: '6.4',
  hugeFolios: '6.6',
  mapStackNohuge: '6.7',
  thpAlignment: '6.7',
  pcpAutoTune: '6.7',
  populateEndsAtHole: '6.9',
  claimPageblocks: '6.10',
  mapDroppable: '6.11',
  mmapGathers: '6.12',
  fallocateOneMode: '6.12',
  swapZeromap: '6.12',
  dontneedFreesTables: '6.14',
  writeFaultsLate: '6.15',
  mergeUnfaulted: '6.16',
  execReadahead: '6.16',
  mremapSeveralVmas: '6.17',
  skipVmasWithoutRecency: '6.2',
  zapSkipsWithoutRecency: '6.2',
  keepPagesOfDyingMm: '6.2',
  fullWalkRetry: '6.2',
  dontunmapSelfMerge: '6.2',
  mprotectDropsAccount: '6.2',
  mprotectWritableIfClean: '6.2',
  pageoutKeepsYoung: '6.2',
  coldSetsWorkingset: '6.2',
  swapinWritable: '6.2',
  lastPageMakesNoTable: '6.2',
  ext4ZeroesGap: '6.18',
};
/** True before that release. */
const GONE: Partial<Record<Name, string>> = {
  mlockHalfOfMemory: '2.5',
  mmlistInForkOrder: '2.5',
  forkCopiesFileEntries: '2.6',
  reclaimAllocatesBlocks: '2.6.28',
  shmemWritesLater: '2.6.28',
  swapScanMap: '3.11',
  cgroupV1Only: '4.5',
  countsRetriedFaults: '6.5',
  punchWritesFirst: '6.14',
};
/** What is no plain "since", kernel by kernel. */
const ORDER = ['2.4.18', '2.4.19', '2.5.59', '2.6.24', '2.6.26', '3.16', '6.1', '6.18'];
const OTHER: Partial<Record<Name, readonly Value[]>> = {
  vmacache: [false, false, false, false, false, true, false, false],
  lazyMm: [false, false, false, false, false, true, false, false],
  refillCountsMoved: [false, true, true, true, true, true, true, true],
  zoneInPageFlags: [false, true, true, true, true, true, true, true],
  swapoffActivates: [false, false, true, true, true, true, false, false],
  coldReadahead: [false, false, true, true, true, true, false, false],
  swapLeastPriority: [0, 0, 0, 0, 0, 0, -1, -1],
  mergeAnyAnonVma: [true, true, true, true, true, false, false, false],
  zapYoung: ['lost', 'lost', 'referenced', 'referenced', 'referenced', 'accessed', 'accessed', 'accessed'],
  chargesSwapinAtRead: [true, true, true, true, true, false, true, true],
  mmapAsksNextFirst: [false, false, false, false, false, false, true, false],
  stackGapOutside: [true, true, true, true, true, false, true, true],
  swapfileCluster: [256, 256, 256, 256, 256, 256, 512, 512],
  lruBatch: [1, 1, 14, 14, 14, 14, 15, 31],
  ioCost: [1, 1, 1, 1, 1, 1, 1, 32],
  rotationCost: [0, 0, 0, 0, 0, 0, 0, 1],
  freeingDrains: [false, false, true, true, true, true, true, false],
  swapSlotsCache: [false, false, false, false, false, true, true, false],
  loneSwapinWaits: [false, false, false, false, false, false, true, false],
  swapSyncBio: [true, true, true, true, true, true, false, true],
  mlocksSwappedIn: [false, false, false, false, false, false, true, false],
};

function wanted(name: Name, version: string): Value | undefined {
  const brought = BROUGHT[name];
  if (brought !== undefined) return isSince(version, brought);
  const gone = GONE[name];
  if (gone !== undefined) return !isSince(version, gone);
  return OTHER[name]?.[ORDER.indexOf(version)];
}

describe('switches', () => {
  for (const { version, switches } of GENERATIONS) {
    const names = Object.keys(switches) as Name[];
    test(`${version}: each of the ${names.length} has the value of its release`, () => {
      const expected = Object.fromEntries(names.map((name) => [name, wanted(name, version)]));
      expect(switches).toEqual(expected);
    });
  }

  test('no gap below a stack before 2.6.36', () => {
    for (const { version, sysctl } of GENERATIONS) {
      if (isSince(version, '2.6.36')) expect(sysctl?.stackGuardGap, version).toBeUndefined();
      else expect(sysctl?.stackGuardGap, version).toBe(0);
    }
  });
});
