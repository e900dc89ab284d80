/**
 * What a program that imports `revmap` sees: the engine, the system calls over it, what the kernel shows of it, and the
 * policies of textbooks.
 */
export * from './mm/index.ts';
export {
  type AccessedBitPolicy,
  type AccessPolicy,
  type FuturePolicy,
  type PageStream,
  POLICIES,
  type Policy,
  type PolicyResult,
  policyNamed,
  simulate,
} from './policy/index.ts';
export { buddyinfo } from './proc/buddyinfo.ts';
export { kpageCount, kpageFlags } from './proc/kpage.ts';
export { kpageFlagNames } from './proc/kpage_flags.ts';
export { lruGen } from './proc/lru_gen.ts';
export { maps } from './proc/maps.ts';
export { meminfo } from './proc/meminfo.ts';
export { memoryStat } from './proc/memory_stat.ts';
export { pagemap } from './proc/pagemap.ts';
export { smaps, smapsRollup } from './proc/smaps.ts';
export { swaps } from './proc/swaps.ts';
export { vmstat } from './proc/vmstat.ts';
export { zoneinfo } from './proc/zoneinfo.ts';
export type { Process } from './syscalls/process.ts';
export { System } from './syscalls/system.ts';
