/**
 * What is wrong with a recording, and where.
 *
 * Owns      the one error of this room: the user's file. `place` is `line 7` in the header, `byte 1234` behind it;
 *           bytes are counted in the unpacked file, whatever its compression.
 */

/** A reason may repeat what stands in the file, and a line of it may be a gigabyte. */
const SHOWN_CHARACTERS = 500;

export class RecordingError extends Error {
  constructor(file: string, place: string, reason: string) {
    const shown = reason.length > SHOWN_CHARACTERS ? `${reason.slice(0, SHOWN_CHARACTERS)}…` : reason;
    super(printable(place === '' ? `${file}: ${shown}` : `${file}: ${place}: ${shown}`));
    this.name = 'RecordingError';
  }
}

/** A name out of a file, fit for a terminal: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, '?');
}
