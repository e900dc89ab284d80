import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Peers, servedUsers, uidIn } from './peers.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-peers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const row = (local: string, remote: string, state: string, uid: number, inode: number) =>
  `   7: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
const PEER = '0100007F:D431';
const OWN = '0100007F:9C40';

describe('whose socket a row of /proc/net/tcp is', () => {
  for (const { why, table, want } of [
    { why: 'the row of the peer', table: row(PEER, OWN, '01', 1000, 4711), want: 1000 },
    { why: 'half closed, but somebody’s', table: row(PEER, OWN, '05', 1000, 4711), want: 1000 },
    {
      why: 'our own end is another row',
      table: row(OWN, PEER, '01', 0, 4712) + row(PEER, OWN, '01', 1000, 4711),
      want: 1000,
    },
    { why: 'only our own end', table: row(OWN, PEER, '01', 0, 4712), want: null },
    { why: 'closed by its owner: the kernel says user 0', table: row(PEER, OWN, '05', 0, 0), want: null },
    { why: 'waiting to be forgotten: user 0, too', table: row(PEER, OWN, '06', 0, 0), want: null },
    { why: 'not accepted yet', table: row(PEER, OWN, '03', 0, 0), want: null },
    { why: 'another port', table: row('0100007F:D432', OWN, '01', 1000, 4711), want: null },
    { why: 'another server', table: row(PEER, '0100007F:9C41', '01', 1000, 4711), want: null },
    { why: 'cut in the middle', table: row(PEER, OWN, '01', 1000, 4711).slice(0, 60), want: null },
    { why: 'no rows', table: '', want: null },
  ])
    test(why, () => expect(uidIn(HEAD + table, PEER, OWN)).toBe(want));
});

test('an IPv4 peer may stand in the table of IPv6; ::1 in that alone', () => {
  const bytes = endianness() === 'LE';
  const mapped = `0000000000000000${bytes ? 'FFFF00000100007F' : '0000FFFF7F000001'}`;
  const one = `000000000000000000000000${bytes ? '01000000' : '00000001'}`;
  const v4 = (uid: number) => row(`${mapped}:D431`, `${mapped}:9C40`, '01', uid, 4711);
  writeFileSync(join(folder, 'tcp'), HEAD);
  writeFileSync(join(folder, 'tcp6'), HEAD + v4(1000) + row(`${one}:D431`, `${one}:9C40`, '01', 1001, 4712));
  const isServed = (uid: number, address: string) =>
    new Peers([uid], folder).isServed({ address, port: 0xd431 }, { address, port: 0x9c40 });
  expect(isServed(1000, '127.0.0.1')).toBe(true);
  expect(isServed(1001, '127.0.0.1')).toBe(false);
  expect(isServed(1001, '::1')).toBe(true);
  expect(isServed(1000, '::1')).toBe(false);
  for (const address of ['fe80::1', '::', '', '127.0.0.1.2']) expect(isServed(1001, address)).toBe(false);
});

test('without a table nobody is served', () => {
  const peers = new Peers([0], join(folder, 'none'));
  expect(peers.canTell).toBe(false);
  expect(peers.isServed({ address: '127.0.0.1', port: 1 }, { address: '127.0.0.1', port: 2 })).toBe(false);
});

for (const { why, uid, sudo, want } of [
  { why: 'oneself and root', uid: 1000, sudo: undefined, want: [1000, 0] },
  { why: 'as root: who called sudo', uid: 0, sudo: '1000', want: [0, 1000] },
  { why: 'not as root: anybody can set a variable', uid: 1000, sudo: '1001', want: [1000, 0] },
  { why: 'no number', uid: 0, sudo: '-1', want: [0] },
  { why: 'nothing', uid: 0, sudo: '', want: [0] },
])
  test(`served: ${why}`, () => expect([...new Set(servedUsers(uid, sudo))]).toEqual(want));

for (const host of ['127.0.0.1', '::1'])
  test.skipIf(process.platform !== 'linux')(`this kernel's own table, over ${host}`, async () => {
    const server = createServer();
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    const client = connect({ port, host });
    const socket = await accepted;
    const ends = [
      { address: socket.remoteAddress!, port: socket.remotePort! },
      { address: socket.localAddress!, port: socket.localPort! },
    ] as const;
    const own = process.geteuid!();
    expect(new Peers([own]).isServed(...ends)).toBe(true);
    expect(new Peers([own + 1]).isServed(...ends)).toBe(false);
    // Once the client has closed, the row is nobody's, and shows user 0.
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.destroy();
    await closed;
    expect(new Peers([own, 0]).isServed(...ends)).toBe(false);
    socket.destroy();
    server.close();
  });
