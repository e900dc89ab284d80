/** The engine's own entry: what `revmap/mm` gives. It needs neither Node nor a browser. */
export * from './errno.ts';
export { GENERATIONS, generationNamed } from './generations/index.ts';
export { type KindOfPage, kindOfPage, type PageKind } from './kinds.ts';
export { Machine, type MachineConfig, SYSCTL_DEFAULTS, type Sysctl } from './machine.ts';
export type { MemCgroup } from './memcg.ts';
export { TRACEPOINTS, type TraceListener, type TracepointName } from './tracepoints.ts';
export * from './uapi.ts';
export { addrOf, PAGE_SIZE, type Pfn, type Token, type Vpn, vpnOf } from './units.ts';
export { NODE_STAT_NAMES, VM_EVENT_NAMES } from './vmstat.ts';
export { frameAt, type WhoMaps, type WhoVma } from './who.ts';
