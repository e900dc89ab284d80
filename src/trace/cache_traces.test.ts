/** libCacheSim's formats: what a request becomes, and what is refused. */
import { expect, test } from 'vitest';
import { tell } from '../../test/inputs/told.ts';
import { ObjectPages, TooMany } from './objects.ts';
import { U64 } from './u64.ts';

/** Reads of objects, as `page×bytes`; what opens the file and ends the program is left out. */
function reads(format: string, input: string | Uint8Array, piece?: number): string[] {
  const { words } = tell(format, input, piece);
  return words.flatMap((word) => {
    const match = /^0 pread64\(3, 0, (\d+), (\d+), 0, 0\) = (\d+)$/.exec(word);
    if (match === null) return [];
    expect(match[1], word).toBe(match[3]);
    return `${Number(match[2]) / 4096}×${match[1]}`;
  });
}

function oracle(...requests: [id: bigint, bytes: number, next?: bigint][]): Uint8Array {
  const bytes = Buffer.alloc(24 * requests.length);
  for (const [i, [id, size, next = -1n]] of requests.entries()) {
    bytes.writeUInt32LE(1000 - i, 24 * i); // time goes backwards
    bytes.writeBigUInt64LE(id, 24 * i + 4);
    bytes.writeUInt32LE(size, 24 * i + 12);
    bytes.writeBigInt64LE(next, 24 * i + 16);
  }
  return bytes;
}

function vscsi(version: 1 | 2, ...requests: [block: bigint, bytes: number][]): Uint8Array {
  const length = version === 1 ? 32 : 40;
  const bytes = Buffer.alloc(length * requests.length);
  for (const [i, [block, size]] of requests.entries()) {
    bytes.writeUInt16LE(version << 8, length * i + (version === 1 ? 14 : 2));
    bytes.writeUInt32LE(size, length * i + (version === 1 ? 4 : 8));
    bytes.writeBigUInt64LE(block, length * i + 16);
  }
  return bytes;
}

test('a cache trace is a program that reads one file at random', () => {
  const { words, facts } = tell('txt', '5\n5\n');
  expect(words).toEqual([
    '0 path /objects',
    '0 openat(-100, 0, 0) = 3',
    '0 fadvise64(3, 0, 0, 1) = 0',
    '0 pread64(3, 0, 4096, 0, 0, 0) = 4096',
    '0 pread64(3, 0, 4096, 0, 0, 0) = 4096',
    '0 tick 2',
    '0 exit_group(0) = 0',
  ]);
  expect(facts.stats.get(0)).toBe('raw=2 requests=2 objects=1 pages=1');
});

for (const { why, format, input, want } of [
  {
    why: 'pages in the order of first use',
    format: 'txt',
    input: '900\n7\n900\n0x384\n',
    want: '0×4096 1×4096 0×4096 0×4096',
  },
  {
    why: 'ids near 2**64 are not mixed up',
    format: 'txt',
    input: '18446744073709551615\n18446744073709551614\n9007199254740993\n9007199254740992\n',
    want: '0×4096 1×4096 2×4096 3×4096',
  },
  {
    why: 'names',
    format: 'txt',
    input: '__proto__\nconstructor\n__proto__\nhasOwnProperty\n',
    want: '0×4096 1×4096 0×4096 2×4096',
  },
  { why: 'a number after names is a name', format: 'txt', input: 'a\n1\na\n', want: '0×4096 1×4096 0×4096' },
  {
    why: 'no newline at the end, CR LF, empty lines, comments',
    format: 'txt',
    input: '# ids\r\n1\r\n\r\n2',
    want: '0×4096 1×4096',
  },
  {
    why: 'NUL and invalid UTF-8 in names',
    format: 'txt',
    input: Buffer.from([65, 0, 10, 65, 255, 10, 65, 0, 10]),
    want: '0×4096 1×4096 0×4096',
  },
  {
    why: 'a head says what the columns are',
    format: 'csv',
    input: 'version,time,op,size,lbn\n1,5,2a,512,42\n1,6,2a,8192,43\n1,7,2a,512,42\n',
    want: '0×512 1×8192 0×512',
  },
  { why: 'time, object, size', format: 'csv', input: '1,42,512\n2,43,4097\n', want: '0×512 1×4097' },
  { why: 'time, object', format: 'csv', input: '1;42\n2;43\n3;42\n', want: '0×4096 1×4096 0×4096' },
  {
    why: 'columns as the user says',
    format: 'csv:id=1,size=2',
    input: '7 100\n8 200\n7 100\n',
    want: '0×100 1×200 0×100',
  },
  { why: 'the user, over the head', format: 'csv:id=1', input: 'key,id\n7,1\n8,1\n', want: '0×4096 1×4096' },
  { why: 'quotes', format: 'csv', input: 'id\tsize\n"7"\t1\n 7 \t1\n', want: '0×1 0×1' },
  {
    why: 'an object that grows has its new pages at the end',
    format: 'csv',
    input: 'id,size\n1,4096\n2,4096\n1,12288\n1,12288\n',
    want: '0×4096 1×4096 0×4096 2×8192 0×4096 2×8192',
  },
  {
    why: 'and one that shrinks keeps them',
    format: 'csv',
    input: 'id,size\n1,12288\n1,100\n1,8193\n',
    want: '0×12288 0×100 0×8193',
  },
  { why: 'requests of 0 bytes are left out', format: 'csv', input: 'id,size\n1,0\n2,1\n', want: '0×1' },
  {
    why: 'oracleGeneral',
    format: 'oracleGeneral',
    input: oracle([42n, 512, 3n], [2n ** 64n - 1n, 10000], [42n, 512, 2n ** 63n - 1n]),
    want: '0×512 1×10000 0×512',
  },
  {
    why: 'oracleGeneral of 4 GiB',
    format: 'oracleGeneral',
    input: oracle([1n, 2 ** 32 - 1], [2n, 1]),
    want: '0×4294967295 1048576×1',
  },
  { why: 'vscsi 1', format: 'vscsi', input: vscsi(1, [42n, 512], [43n, 6656], [42n, 512]), want: '0×512 1×6656 0×512' },
  { why: 'vscsi 2', format: 'vscsi', input: vscsi(2, [42n, 512], [43n, 6656], [42n, 512]), want: '0×512 1×6656 0×512' },
  { why: 'vscsi of one record', format: 'vscsi', input: vscsi(1, [42n, 512]), want: '0×512' },
]) {
  test(`cache trace: ${why}`, () => {
    for (const piece of [undefined, 1, 7])
      expect(reads(format, input, piece).join(' '), `in pieces of ${piece}`).toBe(want);
  });
}

for (const { why, format, input, want } of [
  {
    why: 'a negative id',
    format: 'txt',
    input: '1\n-1\n',
    want: "x: line 2: '-1' is no object id: a number from 0 to 2**64 - 1 expected",
  },
  { why: 'a negative id at first', format: 'txt', input: '-1\n', want: "line 1: '-1' is no object id" },
  {
    why: '65 bits',
    format: 'txt',
    input: '18446744073709551616\n',
    want: "line 1: '18446744073709551616' is no object id",
  },
  { why: '65 bits in hexadecimal', format: 'txt', input: '1\n0x10000000000000000\n', want: 'line 2: ' },
  { why: 'a fraction', format: 'txt', input: '1\n1.5\n', want: 'line 2: ' },
  { why: 'a name after numbers', format: 'txt', input: '1\nabc\n', want: "line 2: 'abc' is no object id" },
  { why: 'an escape sequence', format: 'txt', input: '1\n\x1b[31m\n', want: "line 2: '?[31m' is no object id" },
  {
    why: 'no request',
    format: 'txt',
    input: '# nothing\n',
    want: 'x: libCacheSim txt (object in column 1, a page each): no request in it',
  },
  { why: 'nothing', format: 'csv', input: '', want: 'no request in it' },
  {
    why: 'a line that is too short',
    format: 'csv',
    input: 'time,id,size\n1,2,3\n1,2\n',
    want: "line 3: column 3 expected, the object's size; the line has 2",
  },
  { why: 'no object', format: 'csv', input: 'time,id\n1,2\n1,\n', want: 'line 3: an object without an id' },
  { why: 'a size that is none', format: 'csv', input: 'id,size\n1,many\n', want: "line 2: 'many' is no size in bytes" },
  { why: 'a negative size', format: 'csv', input: 'id,size\n1,-1\n', want: "line 2: '-1' is no size in bytes" },
  {
    why: 'a size of 5 GiB',
    format: 'csv',
    input: 'id,size\n1,5368709120\n',
    want: 'an object of 5368709120 bytes; 4294967295 is the most',
  },
  {
    why: 'a head without an object',
    format: 'csv',
    input: 'when,what\n1,2\n',
    want: 'line 1: no column is called id, objid',
  },
  {
    why: 'a column that there is not',
    format: 'csv:id=9',
    input: '1,2\n',
    want: "line 1: column 9 expected, the object's; the line has 2",
  },
  {
    why: 'half a record',
    format: 'oracleGeneral',
    input: oracle([1n, 1], [2n, 2]).subarray(0, 40),
    want: 'x: byte 24: the file was cut off: the last record has 16 of 24 bytes',
  },
  {
    why: 'bytes the other way round',
    format: 'oracleGeneral',
    input: oracle([1n, 1, 5n]).reverse(),
    want: 'byte 0: next access ',
  },
  {
    why: 'a next access of -2',
    format: 'oracleGeneral',
    input: oracle([1n, 1], [1n, 1, -2n]),
    want: 'byte 24: next access -2: -1 or a request',
  },
  {
    why: 'a next access of 2**48',
    format: 'oracleGeneral',
    input: oracle([1n, 1, 2n ** 48n]),
    want: 'byte 0: next access 281474976710656',
  },
  {
    why: 'requests of nothing',
    format: 'oracleGeneral',
    input: Buffer.alloc(240),
    want: 'x: libCacheSim oracleGeneral: no request in it',
  },
  {
    why: 'half a vscsi record',
    format: 'vscsi',
    input: vscsi(2, [1n, 1], [2n, 2], [3n, 3]).subarray(0, 100),
    want: 'byte 80: the file was cut off: the last record has 20 of 40 bytes',
  },
  {
    why: 'another version in between',
    format: 'vscsi',
    input: Buffer.concat([vscsi(1, [1n, 1], [2n, 2], [3n, 3]), Buffer.alloc(32)]),
    want: 'byte 96: version 0x0 in a vscsi trace of version 1',
  },
  { why: 'no vscsi', format: 'vscsi', input: Buffer.alloc(100), want: 'byte 0: no vscsi trace' },
  { why: 'an empty vscsi trace', format: 'vscsi', input: '', want: 'byte 0: no vscsi trace' },
]) {
  test(`cache trace refused: ${why}`, () => {
    expect(() => tell(format, input)).toThrow(want);
    if (typeof input !== 'string' || input !== '') expect(() => tell(format, input, 3)).toThrow(want);
  });
}

test('ids: exact to 2**64 - 1', () => {
  const id = new U64();
  const parse = (text: string) =>
    id.parse(Buffer.from(text), 0, text.length) ? BigInt(id.high) * 2n ** 32n + BigInt(id.low) : null;
  let state = 12345n;
  for (let i = 0; i < 5000; i++) {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    const value = state >> BigInt(i % 64);
    expect(parse(String(value))).toBe(value);
    expect(parse(`0x${value.toString(16)}`)).toBe(value);
  }
  for (const edge of [0n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n])
    expect(parse(String(edge))).toBe(edge);
  for (const wrong of [
    '18446744073709551616',
    '99999999999999999999',
    '123456789012345678901',
    '',
    '0x',
    '-1',
    '1e3',
    '1 ',
  ]) {
    expect(parse(wrong), wrong).toBe(null);
  }
});

test('objects: a million, each with its own page, as fast one way as the other', () => {
  const objects = new ObjectPages();
  const seen: number[] = [];
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 2 ** 20; i++) objects.forEachRun((i * 4096) >>> 0, i >>> 20, 1, (page) => seen.push(page));
  }
  expect(objects.pages).toBe(2 ** 20);
  expect(seen[2 ** 20 - 1]).toBe(2 ** 20 - 1);
  expect(seen[2 ** 20 + 77]).toBe(77);
});

test('objects: too many pages are refused', () => {
  const objects = new ObjectPages();
  const all = () => {
    for (let i = 0; i < 2 ** 16; i++) objects.forEachRun(i, 0, 2 ** 20, () => {});
  };
  expect(all).toThrow(TooMany);
  expect(all).toThrow('more than 34359738368 pages of objects');
});
