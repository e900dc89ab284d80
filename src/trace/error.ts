/**
 * What is wrong with a recording, and where.
 *
 * Owns      the one error of this room: the user's file. `place` is `line 7` in the header, `byte 1234` behind it;
 *           bytes are counted in the unpacked file, whatever its compression.
 */
export class RecordingError extends Error {
  constructor(file: string, place: string, reason: string) {
    super(place === '' ? `${file}: ${reason}` : `${file}: ${place}: ${reason}`);
    this.name = 'RecordingError';
  }
}

/** A name out of a file, fit for a terminal: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
