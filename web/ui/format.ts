/** Numbers as people read them. */

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** `1,234,567`. */
export function grouped(n: number): string {
  return n.toLocaleString('en');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** `1.250 s`, `12.3 ms`, `250 ns`. */
export function duration(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(1)} ms`;
  if (ns >= 1e3) return `${(ns / 1e3).toFixed(1)} µs`;
  return `${Math.round(ns)} ns`;
}

/** Pages as memory: `16.0 MiB`. */
export function pagesAsSize(pages: number): string {
  const kib = pages * 4;
  if (kib < 1024) return `${kib} KiB`;
  if (kib < 1024 * 1024) return `${(kib / 1024).toFixed(1)} MiB`;
  return `${(kib / 1024 / 1024).toFixed(1)} GiB`;
}
