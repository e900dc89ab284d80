/**
 * Where the programs of the lessons have what: their texts, their checks and the page agree on it.
 *
 * Promises  It brings nothing of the engine with it.
 */
/** Private memory, a mapped file, and what else is shared. */
export const ANON = 0x1000_0000_0000;
export const FILE = 0x1000_0100_0000;
export const SHM = 0x1000_0200_0000;
/** By so much memory grows and shrinks in lesson 10. */
export const MEMORY_STEP: number = 256 * 1024;
