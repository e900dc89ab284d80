/**
 * What each kernel's madvise(2) knows; the rest is EINVAL.
 *
 * Owns      the table.
 * Promises  A kernel knows what it had when it was released.
 * Linux     mm/madvise.c: madvise_behavior_valid, and before 2.6 the switch in madvise_vma
 */
import { isSince } from './release.ts';
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from './uapi.ts';

/** Kernels in the order of their releases, and what each brought. */
const BROUGHT: readonly (readonly [kernel: string, advice: readonly number[]])[] = [
  ['2.4.0', [MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED]],
  ['2.6.16', [MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK]],
  ['2.6.32', [MADV_MERGEABLE, MADV_UNMERGEABLE]],
  ['2.6.38', [MADV_HUGEPAGE, MADV_NOHUGEPAGE]],
  ['3.4', [MADV_DONTDUMP, MADV_DODUMP]],
  ['4.5', [MADV_FREE]],
  ['4.14', [MADV_WIPEONFORK, MADV_KEEPONFORK]],
  ['5.4', [MADV_COLD, MADV_PAGEOUT]],
  ['5.14', [MADV_POPULATE_READ, MADV_POPULATE_WRITE]],
  ['5.18', [MADV_DONTNEED_LOCKED]],
  ['6.1', [MADV_COLLAPSE]],
  ['6.13', [MADV_GUARD_INSTALL, MADV_GUARD_REMOVE]],
];

/** Everything that kernel `version` knows. */
export function knownAdvice(version: string): ReadonlySet<number> {
  const known = new Set<number>();
  for (const [since, advice] of BROUGHT) if (isSince(version, since)) for (const one of advice) known.add(one);
  return known;
}
