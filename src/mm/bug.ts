/**
 * Two of the three kinds of wrong: the user's input, and our own broken promises. (The third, a refusal, is an errno.)
 */

/** The user's file or argument: says where and why, so that he can mend it. `line` counts from 1; 0 leaves it out. */
export class InputError extends Error {
  constructor(file: string, line: number, reason: string) {
    super(shown(line > 0 ? `${file}:${line}` : file, reason));
    this.name = 'InputError';
  }
}

const SHOWN_CHARACTERS = 500;

/** A name and a reason repeat what the user's files say, and that may be anything: no control characters, no line of a gigabyte. */
function shown(place: string, reason: string): string {
  const start = reason.length > SHOWN_CHARACTERS ? `${reason.slice(0, SHOWN_CHARACTERS)}…` : reason;
  return `${place}: ${start}`.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, '?');
}

/** States a promise of a file's header and throws when it is broken. Nobody catches it. */
export function bugOn(broken: boolean, promise: string, where: number): void {
  if (broken) throw new Error(`broken promise: ${promise} (at ${where})`);
}
