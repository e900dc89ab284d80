/**
 * A failing input made small.
 *
 * Promises  What comes out fails with the same name, and is not longer.
 */

/** Cuts pieces out, halves first and single bytes last, then makes bytes plain, as long as `fails` says yes. */
export async function shrunk(
  input: Uint8Array,
  fails: (bytes: Uint8Array) => Promise<boolean>,
  attempts = 2000,
): Promise<Uint8Array> {
  let bytes = input;
  let left = attempts;
  const tried = async (candidate: Uint8Array) => {
    left -= 1;
    if (!(await fails(candidate))) return false;
    bytes = candidate;
    return true;
  };
  for (let piece = bytes.length >> 1; piece >= 1 && left > 0; piece >>= 1) {
    for (let at = 0; at < bytes.length && left > 0; ) {
      const without = new Uint8Array(bytes.length - Math.min(piece, bytes.length - at));
      without.set(bytes.subarray(0, at));
      without.set(bytes.subarray(at + piece), at);
      if (!(await tried(without))) at += piece;
    }
  }
  for (let at = 0; at < bytes.length && left > 0; at++) {
    if (bytes[at] === 0x41) continue;
    const plain = bytes.slice();
    plain[at] = 0x41;
    await tried(plain);
  }
  return bytes;
}
