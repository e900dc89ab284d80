/** Packed inputs: whole, cut, damaged, and meant to burst. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type UnpackLimits, unpack } from './unpack.ts';

async function unpacked(bytes: Uint8Array, piece = 1 << 20, limits?: UnpackLimits): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const out: Uint8Array[] = [];
  for await (const chunk of unpack(pieces(), 'x', limits)) out.push(chunk);
  return Buffer.concat(out);
}

const RAW = 0;
const RLE = 1;

/** A frame of blocks that stand there as they are, or as one byte many times. */
function frame(blocks: { type: number; bytes: Uint8Array; size?: number }[], windowByte = 0x58): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, windowByte])];
  for (const [i, { type, bytes, size = bytes.length }] of blocks.entries()) {
    const word = (i === blocks.length - 1 ? 1 : 0) + type * 2 + size * 8;
    parts.push(Buffer.from([word & 255, (word >> 8) & 255, word >> 16]), bytes);
  }
  return Buffer.concat(parts);
}

/** zstd of bytes, not made smaller. */
function zstd(bytes: Uint8Array): Buffer {
  const blocks: { type: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += 100_000) {
    blocks.push({ type: RAW, bytes: bytes.subarray(at, at + 100_000) });
  }
  return frame(blocks);
}

/** What numbers-1.zst and numbers-22.zst are made of, by `zstd -1` and `zstd --ultra -22` 1.5.4. */
function numbers(): string {
  let text = '';
  let state = 1;
  for (let i = 0; i < 60_000; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    text += `${(i * i) % 997}${(state >>> 16) % 64 === 0 ? 'x' : ''},`;
  }
  return text;
}

const samples = join(import.meta.dirname, '../../test/inputs');
const hello = 'hello hello hello hello hello\n';

function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = (state >>> 16) % (1 + ((i >> 12) % 40));
  }
  return bytes;
}

test('gzip and zstd, one in the other, in pieces of any length', async () => {
  const text = Buffer.from(hello);
  const packed = zstd(text);
  for (const bytes of [text, gzipSync(text), packed, zstd(gzipSync(text)), gzipSync(packed)]) {
    for (const piece of [1, 3, 1000]) expect((await unpacked(bytes, piece)).toString()).toBe(hello);
  }
  await expect(unpacked(gzipSync(gzipSync(gzipSync(text))))).rejects.toThrow('x: is packed more than 2 times');
});

test('zstd: what zstd itself packed, in pieces of any length', async () => {
  const want = numbers();
  for (const name of ['numbers-1.zst', 'numbers-22.zst']) {
    const packed = readFileSync(join(samples, name));
    for (const piece of [1, 100, 1 << 20]) expect((await unpacked(packed, piece)).toString() === want, name).toBe(true);
  }
});

test('zstd: several frames, with something between, empty ones too', async () => {
  const long = noise(700_000);
  const skipped = Buffer.from('502a4d1805000000aabbccddee', 'hex');
  const empty = zstd(Buffer.alloc(0));
  const frames = Buffer.concat([skipped, zstd(long), empty, skipped, zstd(Buffer.from('end'))]);
  for (const piece of [11, 100_000]) {
    expect((await unpacked(frames, piece)).equals(Buffer.concat([long, Buffer.from('end')]))).toBe(true);
  }
});

test('zstd: cut off anywhere', async () => {
  const packed = Buffer.concat([zstd(noise(300)), readFileSync(join(samples, 'numbers-1.zst')).subarray(0, 1000)]);
  for (let length = 4; length < packed.length; length += 13) {
    if (length === 309) continue; // the first frame's end
    await expect(unpacked(packed.subarray(0, length)), `${length}`).rejects.toThrow('the zstd file was cut off');
  }
});

test('zstd: no damage hangs or crashes it, and memory does not follow what it says', async () => {
  const packed = readFileSync(join(samples, 'numbers-22.zst'));
  for (let at = 4; at < packed.length; at += at < 300 ? 1 : 97) {
    for (const change of [0x01, 0x40, 0xff]) {
      const damaged = Buffer.from(packed);
      damaged[at]! ^= change;
      try {
        await unpacked(damaged);
      } catch (error) {
        expect((error as Error).name, `${at} ${error}`).toBe('RecordingError');
      }
    }
  }
});

for (const { why, hex, want } of [
  {
    why: 'a window of 2 GiB',
    hex: '28b52ffd00a8010000',
    want: 'x: byte 0: the zstd file needs a window of 2147483648 bytes; 134217728 is the most',
  },
  {
    why: 'one segment of 2**63 bytes',
    hex: '28b52ffde00000000000000080010000',
    want: 'needs a window of 9223372036854776000 bytes',
  },
  { why: 'a dictionary', hex: '28b52ffd0158010000000000', want: 'needs a dictionary' },
  { why: 'a reserved bit', hex: '28b52ffd0858010000', want: 'a reserved bit is set' },
  { why: 'a block of 2 MiB', hex: '28b52ffd0058fdffff', want: 'a block of 2097151 bytes' },
  { why: 'something behind the frame', hex: '28b52ffd0058010000ffffffffff', want: 'no frame begins where one should' },
  { why: 'a block of the type that is none', hex: '28b52ffd00580f000041', want: 'is damaged' },
]) {
  test(`zstd refused: ${why}`, async () => {
    await expect(unpacked(Buffer.from(hex, 'hex'))).rejects.toThrow(want);
    await expect(unpacked(Buffer.from(hex, 'hex'), 1)).rejects.toThrow(want);
  });
}

test('zstd: tiny blocks behind a wide window are refused before they take minutes', async () => {
  const one = { type: RLE, bytes: Uint8Array.of(65), size: 1 };
  const bomb = frame(Array<typeof one>(20_000).fill(one), 0x88);
  await expect(unpacked(bomb)).rejects.toThrow('has too many small blocks behind a window of 134217728 bytes');
});

for (const kind of ['gzip', 'zstd'] as const) {
  test(`${kind}: what unpacks to too much is refused, with both limits`, async () => {
    const zeros = Buffer.alloc(4_000_000);
    const block = { type: RLE, bytes: Uint8Array.of(0), size: 125_000 };
    const bomb = kind === 'gzip' ? gzipSync(zeros) : frame(Array<typeof block>(32).fill(block));
    const said = new RegExp(
      `the ${kind} file unpacks to more than \\d+ bytes from \\d+: 1000000 bytes or 10 times its size are the most, and 1099511627776 bytes in any case`,
    );
    await expect(unpacked(bomb, 1 << 20, { free: 1e6, ratio: 10, bytes: 2 ** 40 })).rejects.toThrow(said);
    await expect(unpacked(bomb, 1 << 20, { free: 1e9, ratio: 1e9, bytes: 2e6 })).rejects.toThrow(
      '2000000 bytes in any case',
    );
    expect((await unpacked(bomb)).length).toBe(zeros.length);
  });
}

test('gzip refused: cut off, damaged', async () => {
  const packed = gzipSync(noise(10_000));
  await expect(unpacked(packed.subarray(0, packed.length >> 1))).rejects.toThrow('the gzip file was cut off');
  const damaged = Buffer.from(packed);
  damaged.fill(0xaa, 100, 120);
  await expect(unpacked(damaged)).rejects.toThrow('the gzip file is damaged');
});
