/**
 * The rule by which a kernel balances its lists, with its numbers filled in: what a scan that began now would do.
 *
 * Owns      the text, and the arithmetic where the engine cannot be asked without changing it (it flushes and fades on the way).
 * Promises  `scan` are the pages that a round at `priority` looks at, list by list; the test holds it to the engine's own numbers.
 * Linux     6.18, 3.16 mm/vmscan.c: get_scan_count prepare_scan_control inactive_is_low; 2.6.24 mm/vmscan.c: shrink_active_list
 *           shrink_zone; 2.4.19 mm/vmscan.c: refill_inactive shrink_caches shrink_cache
 */
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, type Lruvec } from '../mm/lruvec.ts';
import type { Machine } from '../mm/machine.ts';
import { inactiveRatio } from '../mm/reclaim/scan_count_3.ts';
import { maxMapped, maxScan } from '../mm/reclaim/shrink_cache.ts';
import { reclaim_2_4, refillRatio, Vmscan_2_4 } from '../mm/reclaim/vmscan_2_4.ts';
import { swapTendency, Vmscan_2_6 } from '../mm/reclaim/vmscan_2_6.ts';
import { memCgroupGetNrSwapPages } from '../mm/swap/swapfile.ts';
import { intSqrt } from '../mm/units.ts';
import {
  NR_ACTIVE_FILE,
  NR_ANON_MAPPED,
  NR_FILE_MAPPED,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
} from '../mm/vmstat.ts';
import { MAX_NR_ZONES } from '../mm/zone.ts';
import { physical_2_6, zone_2_6 } from '../mm/zone_2_6.ts';
import { generationRule } from './lists_generations.ts';

/** One line of the rule: what it is, its formula with numbers, what comes out. */
export interface RuleLine {
  readonly name: string;
  readonly formula: string;
  readonly value: string;
}

export interface Rule {
  /** In a sentence. */
  readonly says: string;
  /** The kernel's functions. */
  readonly functions: string;
  readonly lines: readonly RuleLine[];
  /** Where each list is scanned by a share of it: the priority (12: a 4096th … 0: all), and pages by list. */
  readonly scan: { readonly priority: number; readonly pages: readonly number[] } | null;
}

const SWAP_CLUSTER_MAX = 32;
const DEF_PRIORITY = 12;
const LISTS = [LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE];

/** Of the kernel that runs, for one lruvec. `isLimit`: a cgroup's limit wants memory, not the machine. */
export function ruleOf(machine: Machine, lruvec: Lruvec): Rule {
  if (machine.reclaim instanceof Vmscan_2_4) return rule_2_4(machine, lruvec);
  if (machine.reclaim instanceof Vmscan_2_6) return rule_2_6(machine, lruvec);
  if (lruvec.lruGen !== null) return generationRule(machine, lruvec);
  return lruvec.zone === null ? rule_6(machine, lruvec) : rule_3(machine, lruvec);
}

// 2.4

function rule_2_4(machine: Machine, lruvec: Lruvec): Rule {
  const inactive = lruvec.stat[0]!;
  const active = lruvec.stat[1]!;
  const ratio = refillRatio(SWAP_CLUSTER_MAX, active, inactive);
  const scan = maxScan(inactive, 6);
  const { swapMm } = reclaim_2_4(machine).swapOut;
  return {
    says: 'The active list is to be two thirds of all: so many pages are moved to inactive before each pass, those that were not referenced.',
    functions: 'refill_inactive, shrink_cache, swap_out',
    lines: [
      {
        name: 'to deactivate',
        formula: `32 × nr_active_pages ${active} / ((nr_inactive_pages ${inactive} + 1) × 2)`,
        value: pagesWord(ratio),
      },
      { name: 'first pass looks at', formula: `nr_inactive_pages ${inactive} / priority 6`, value: pagesWord(scan) },
      {
        name: 'mapped pages until swap_out',
        formula: `min(32 × 2^(10 − 6), ${scan} / 10)`,
        value: pagesWord(maxMapped(SWAP_CLUSTER_MAX, 6, scan)),
      },
      {
        name: 'swap_mm',
        formula: 'where swap_out goes on',
        value:
          swapMm === null
            ? 'init_mm: from the beginning'
            : `mm ${swapMm.id} at page 0x${swapMm.swapAddress.toString(16)}`,
      },
    ],
    scan: null,
  };
}

// 2.6

function rule_2_6(machine: Machine, lruvec: Lruvec): Rule {
  const zone = lruvec.zone!;
  const at = zone_2_6(machine, zone);
  const mapped = machine.nodes.reduce((sum, { stat }) => sum + stat[NR_FILE_MAPPED]! + stat[NR_ANON_MAPPED]!, 0);
  const total = physical_2_6(machine).vmTotalPages;
  const [inactive, active] = [zone.lruPages[0]!, zone.lruPages[1]!];
  const { swappiness } = machine.sysctl;
  const t = swapTendency(mapped, total, at.prevPriority, swappiness, active, inactive);
  return {
    says: 'From a tendency of 100 on, mapped pages are taken too; below, they go back to the active head unlooked at.',
    functions: 'shrink_active_list, shrink_zone',
    lines: [
      { name: 'mapped_ratio', formula: `${mapped} mapped × 100 / ${total} pages`, value: String(t.mappedRatio) },
      { name: 'distress', formula: `100 >> prev_priority ${at.prevPriority}`, value: String(t.distress) },
      {
        name: 'imbalance',
        formula: `${active} active / (${inactive} inactive + 1) × (swappiness ${swappiness} + 1) / 100 × mapped_ratio ${t.mappedRatio} / 100`,
        value: String(t.imbalance),
      },
      {
        name: 'swap_tendency',
        formula: `mapped_ratio ${t.mappedRatio} / 2 + distress ${t.distress} + swappiness ${swappiness} + imbalance ${t.imbalance}`,
        value: `${t.total}: ${t.reclaimMapped ? 'mapped pages are taken' : 'only unmapped pages'}`,
      },
      {
        name: 'owed to the lists',
        formula: 'nr_scan_active, nr_scan_inactive: a scan begins at 32',
        value: `${at.nrScanActive}, ${at.nrScanInactive}`,
      },
      {
        name: 'pages_scanned',
        formula: `since a page was last freed; given up at 6 × ${active + inactive}`,
        value: `${at.pagesScanned}${at.allUnreclaimable ? ': all_unreclaimable' : ''}`,
      },
    ],
    scan: null,
  };
}

// 3.16

/** What the types are scanned by, as parts of `denominator`. */
interface Balance {
  readonly words: string;
  readonly formula: string;
  readonly anon: number;
  readonly file: number;
  readonly denominator: number;
}

const FILES = { anon: 0, file: 1, denominator: 1 };
const ANON = { anon: 1, file: 0, denominator: 1 };
const BOTH = { anon: 1, file: 1, denominator: 1 };

function rule_3(machine: Machine, lruvec: Lruvec): Rule {
  const zone = lruvec.zone!;
  const [inactiveAnon, activeAnon, inactiveFile, activeFile] = sizesOf(lruvec);
  const scan = firstScan((priority) => scanCount_3(lruvec, balance_3(machine, lruvec, priority), priority));
  const balance = balance_3(machine, lruvec, scan.priority);
  const ratio = inactiveRatio(inactiveAnon + activeAnon);
  const anonLow = machine.swap.totalSwapPages > 0 && inactiveAnon * ratio < activeAnon;
  const fileLow = activeFile > inactiveFile;
  const anonFormula = `${inactiveAnon} × inactive_ratio ${ratio} < ${activeAnon}`;
  return {
    says: 'Each type is scanned by what its scans were worth lately: pages looked at against pages that were in use.',
    functions: 'get_scan_count, inactive_anon_is_low, inactive_file_is_low',
    lines: [
      line(`scan balance, priority ${scan.priority}`, balance.formula, balance.words),
      line('inactive_anon_is_low', anonFormula, anonLow ? 'yes: active_anon is aged' : 'no'),
      line('inactive_file_is_low', `${activeFile} > ${inactiveFile}`, fileLow ? 'yes: active_file is aged' : 'no'),
      line('inactive_age', 'evictions and activations of file pages: the clock of refaults', String(zone.inactiveAge)),
    ],
    scan,
  };
}

function balance_3(machine: Machine, lruvec: Lruvec, priority: number): Balance {
  const { memcg } = lruvec;
  const zone = lruvec.zone!;
  const isLimit = memcg.parent !== null;
  const swappiness = isLimit ? memcg.swappiness : machine.sysctl.swappiness;
  const [inactiveAnon, activeAnon, inactiveFile, activeFile] = sizesOf(lruvec);
  if (machine.swap.nrSwapPages <= 0) return { words: 'files only', formula: 'no swap is left', ...FILES };
  if (isLimit && swappiness === 0)
    return { words: 'files only', formula: 'swappiness 0, and a limit wants memory', ...FILES };
  if (priority === 0 && swappiness > 0) return { words: 'both alike', formula: 'close to giving up', ...BOTH };
  const files = activeFile + inactiveFile;
  if (!isLimit && files + zone.freePages <= zone.wmarkHigh) {
    const formula = `${files} file pages + ${zone.freePages} free ≤ high watermark ${zone.wmarkHigh}`;
    return { words: 'anonymous memory only', formula, ...ANON };
  }
  if (activeFile <= inactiveFile) {
    return { words: 'files only', formula: `${inactiveFile} inactive file pages ≥ ${activeFile} active`, ...FILES };
  }
  // What was learned fades when the scan begins.
  const [anonScanned, anonRotated] = faded(lruvec, 0, inactiveAnon + activeAnon);
  const [fileScanned, fileRotated] = faded(lruvec, 1, files);
  const anon = Math.floor((swappiness * (anonScanned + 1)) / (anonRotated + 1));
  const file = Math.floor(((200 - swappiness) * (fileScanned + 1)) / (fileRotated + 1));
  return {
    words: `anon ${anon}, file ${file} of ${anon + file + 1}`,
    formula: `weight × (recent_scanned + 1) / (recent_rotated + 1): anon ${swappiness} × (${anonScanned} + 1) / (${anonRotated} + 1), file ${200 - swappiness} × (${fileScanned} + 1) / (${fileRotated} + 1)`,
    anon,
    file,
    denominator: anon + file + 1,
  };
}

function faded({ recentScanned, recentRotated }: Lruvec, type: number, size: number): [number, number] {
  const [scanned, rotated] = [recentScanned[type]!, recentRotated[type]!];
  if (scanned <= Math.floor(size / 4)) return [scanned, rotated];
  return [Math.floor(scanned / 2), Math.floor(rotated / 2)];
}

/** Of a cgroup at its limit something is scanned at any priority. */
function scanCount_3(lruvec: Lruvec, balance: Balance, priority: number): number[] {
  const sizes = sizesOf(lruvec);
  const share = (pages: number, lru: number): number =>
    Math.floor((pages * (lru < LRU_INACTIVE_FILE ? balance.anon : balance.file)) / balance.denominator);
  const first = sizes.map((size, lru) => share(Math.floor(size / 2 ** priority), lru));
  if (lruvec.memcg.parent === null || first.some((pages) => pages > 0)) return first;
  return sizes.map((size, lru) => share(Math.floor(size / 2 ** priority) || Math.min(size, SWAP_CLUSTER_MAX), lru));
}

// 6.x

function rule_6(machine: Machine, lruvec: Lruvec): Rule {
  const { memcg, stat, anonCost, fileCost } = lruvec;
  const isLimit = memcg.parent !== null;
  const { swappiness } = memcg.v1 && isLimit ? memcg : machine.sysctl;
  const ageAnon = isLow(stat, NR_INACTIVE_ANON) || stat[WORKINGSET_ACTIVATE_ANON] !== lruvec.refaultsAnon;
  const ageFile = isLow(stat, NR_INACTIVE_FILE) || stat[WORKINGSET_ACTIVATE_FILE] !== lruvec.refaultsFile;
  const total = anonCost + fileCost;
  const sum = 3 * total;
  const balance = (priority: number): Balance => {
    if (memCgroupGetNrSwapPages(machine, memcg) <= 0)
      return { words: 'files only', formula: 'no swap is left', ...FILES };
    if (isLimit && swappiness === 0) return { words: 'files only', formula: 'swappiness 0', ...FILES };
    if (priority === 0 && swappiness > 0) return { words: 'both alike', formula: 'close to giving up', ...BOTH };
    if (!isLimit && fileIsTiny(lruvec, ageAnon, priority)) {
      return { words: 'anonymous memory only', formula: 'file_is_tiny: few file pages are left', ...ANON };
    }
    if (Math.floor(stat[NR_INACTIVE_FILE]! / 2 ** priority) > 0 && !ageFile) {
      return { words: 'files only', formula: 'cache_trim_mode: enough idle file pages', ...FILES };
    }
    const anon = Math.floor((swappiness * (sum + 1)) / (total + anonCost + 1));
    const file = Math.floor(((200 - swappiness) * (sum + 1)) / (total + fileCost + 1));
    const formula = 'by what reclaim of each has cost lately';
    const words = `anon ${percent(anon, anon + file)}, file ${percent(file, anon + file)}`;
    return { words, formula, anon, file, denominator: anon + file };
  };
  const scan = firstScan((priority) => {
    const { anon, file, denominator } = balance(priority);
    return sizesOf(lruvec).map((size, lru) =>
      Math.floor((Math.floor(size / 2 ** priority) * (lru < LRU_INACTIVE_FILE ? anon : file)) / denominator),
    );
  });
  const { words, formula, anon, file, denominator } = balance(scan.priority);
  const weight = (share: number, cost: number) => `${share} × (${sum} + 1) / (${total} + ${cost} + 1)`;
  const ofAll = (share: number) => `${share} of ${denominator}, ${percent(share, denominator)}`;
  const byCost = denominator > 1;
  return {
    says: 'Each type is scanned by what reclaim of it has cost lately (refaults, writes): the dearer one less.',
    functions: 'prepare_scan_control, get_scan_count, inactive_is_low',
    lines: [
      line(`scan balance, priority ${scan.priority}`, formula, words),
      line(
        'anon_cost, file_cost',
        'pages that came back, were written or rotated; they fade',
        `${anonCost}, ${fileCost}`,
      ),
      ...(byCost
        ? [
            line('weight of anon', weight(swappiness, anonCost), ofAll(anon)),
            line('weight of file', weight(200 - swappiness, fileCost), ofAll(file)),
          ]
        : []),
      lowLine('anon', stat, NR_INACTIVE_ANON, stat[WORKINGSET_ACTIVATE_ANON]! - lruvec.refaultsAnon),
      lowLine('file', stat, NR_INACTIVE_FILE, stat[WORKINGSET_ACTIVATE_FILE]! - lruvec.refaultsFile),
      line(
        'nonresident_age',
        'evictions and activations: the clock of refault distances',
        String(lruvec.nonresidentAge),
      ),
    ],
    scan,
  };
}

function fileIsTiny({ pgdat }: Lruvec, ageAnon: boolean, priority: number): boolean {
  let free = 0;
  let high = 0;
  for (const zone of pgdat.zones) {
    if (zone === undefined || zone.managedPages === 0) continue;
    free += zone.freePages;
    high += zone.wmarkHigh + zone.watermarkBoost;
  }
  const { stat } = pgdat;
  const files = stat[NR_ACTIVE_FILE]! + stat[NR_INACTIVE_FILE]!;
  return files + free <= high && !ageAnon && Math.floor(stat[NR_INACTIVE_ANON]! / 2 ** priority) > 0;
}

function ratioOf(pages: number): number {
  const gb = Math.floor(pages / 2 ** 18);
  return gb > 0 ? intSqrt(10 * gb) : 1;
}

function isLow(stat: Float64Array, inactive: number): boolean {
  return stat[inactive]! * ratioOf(stat[inactive]! + stat[inactive + 1]!) < stat[inactive + 1]!;
}

function lowLine(type: string, stat: Float64Array, inactive: number, activated: number): RuleLine {
  const ratio = ratioOf(stat[inactive]! + stat[inactive + 1]!);
  const low = isLow(stat, inactive);
  const why = low
    ? `yes: active_${type} is aged`
    : activated > 0
      ? `no, but ${activated} refaults were activated: it is aged`
      : 'no';
  return line(`inactive_is_low, ${type}`, `${stat[inactive]} × inactive_ratio ${ratio} < ${stat[inactive + 1]}`, why);
}

// common

/** The first round, from a 4096th of the lists on, in which anything is looked at. */
function firstScan(pagesAt: (priority: number) => number[]): { priority: number; pages: number[] } {
  for (let priority = DEF_PRIORITY; priority > 0; priority--) {
    const pages = pagesAt(priority);
    if (pages.some((one) => one > 0)) return { priority, pages };
  }
  return { priority: 0, pages: pagesAt(0) };
}

function sizesOf(lruvec: Lruvec): [number, number, number, number] {
  const [a, b, c, d] = LISTS.map((lru) => lruvec.lruSize(lru, MAX_NR_ZONES - 1));
  return [a!, b!, c!, d!];
}

function line(name: string, formula: string, value: string): RuleLine {
  return { name, formula, value };
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${Math.round((part * 100) / whole)} %`;
}

function pagesWord(pages: number): string {
  return `${pages} page${pages === 1 ? '' : 's'}`;
}
