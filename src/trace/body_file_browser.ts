/** Takes the place of body_file.ts in a browser, where all bodies are in memory (scripts/build.mjs: browserOptions). */
export function readBodyFile(fd: number): number {
  throw new Error(`broken promise: in a browser no body is in a file (at ${fd})`);
}
