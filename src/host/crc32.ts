/** The checksum of gzip, zip and PNG, without Node: zlib.crc32 came with Node 20.15, and the page has none. */

const TABLES = tables();

/** Of `bytes`, behind what had the sum `sum`. */
export function crc32(bytes: Uint8Array, sum = 0): number {
  const [t0, t1, t2, t3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = ~sum;
  let at = 0;
  // Four bytes at a time: each has a table that knows what three, two, one more steps do to it.
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function tables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    first[i] = crc;
  }
  const all = [first];
  for (let step = 1; step < 4; step++) {
    const before = all[step - 1]!;
    all.push(before.map((crc) => first[crc & 0xff]! ^ (crc >>> 8)));
  }
  return all;
}
