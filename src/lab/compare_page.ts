import type { CompareResult } from './compare.ts';
export function comparePage(_result: CompareResult): string { return ''; }
