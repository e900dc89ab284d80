/**
 * Whose program is at the other end of a connection.
 *
 * Owns      the reading of /proc/net/tcp and tcp6: other users of this machine can connect to our port, too.
 * Promises  1. A user is told only by a row of the table that has an owner. The kernel prints user 0 for sockets that have lost
 *              theirs (closed, but not yet gone) and inode 0 with it; whoever believed such a row took anybody for root.
 *           2. What cannot be found out is nobody, and nobody is served.
 * Linux     6.18 Documentation/networking/proc_net_tcp.rst; net/ipv4/tcp_ipv4.c: get_tcp4_sock get_timewait4_sock; net/ipv6/tcp_ipv6.c: get_tcp6_sock
 */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** One end of a connection: `127.0.0.1` or `::1`, and the port. */
export interface End {
  readonly address: string;
  readonly port: number;
}

/** Columns of a row, split at spaces. */
const LOCAL = 1;
const REMOTE = 2;
const UID = 7;
const INODE = 9;
/** The table is shown in pieces, and a row may slip through while others come and go. */
const TRIES = 3;

export class Peers {
  private readonly served: ReadonlySet<number>;
  private readonly folder: string;

  /** Our own user, root, and who became root to start us. */
  constructor(served: Iterable<number>, folder = '/proc/net') {
    this.served = new Set(served);
    this.folder = folder;
  }

  /** Can the table be read at all? */
  get canTell(): boolean {
    return this.table('tcp') !== null;
  }

  /** `peer` is the other end of a connection, `own` is ours. */
  isServed(peer: End, own: End): boolean {
    for (let tries = 0; tries < TRIES; tries++) {
      const uid = this.uidOf(peer, own);
      if (uid !== null) return this.served.has(uid);
    }
    return false;
  }

  private uidOf(peer: End, own: End): number | null {
    // A program may also have opened an IPv6 socket and connected it to an IPv4 address.
    for (const [name, asShown] of [
      ['tcp', shownV4],
      ['tcp6', shownV6],
    ] as const) {
      const local = asShown(peer);
      const remote = asShown(own);
      const uid = local === null || remote === null ? null : uidIn(this.table(name) ?? '', local, remote);
      if (uid !== null) return uid;
    }
    return null;
  }

  private table(name: 'tcp' | 'tcp6'): string | null {
    try {
      return readFileSync(`${this.folder}/${name}`, 'latin1');
    } catch {
      return null;
    }
  }
}

/** Whom a server that runs as `uid` serves. */
export function servedUsers(uid: number, sudoUid: string | undefined): number[] {
  const isSudo = uid === 0 && sudoUid !== undefined && /^\d{1,10}$/.test(sudoUid);
  return [uid, 0, ...(isSudo ? [Number(sudoUid)] : [])];
}

/** The owner of the socket that has these two ends, as the table shows them; null if none is there that has one. */
export function uidIn(table: string, local: string, remote: string): number | null {
  const at = table.indexOf(` ${local} ${remote} `);
  if (at < 0) return null;
  const start = table.lastIndexOf('\n', at) + 1;
  const end = table.indexOf('\n', at);
  const columns = table
    .slice(start, end < 0 ? undefined : end)
    .trim()
    .split(/ +/);
  if (columns[LOCAL] !== local || columns[REMOTE] !== remote || !/^[1-9]\d*$/.test(columns[INODE] ?? '')) return null;
  return /^\d+$/.test(columns[UID] ?? '') ? Number(columns[UID]) : null;
}

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function shownV4({ address, port }: End): string | null {
  const bytes = bytesV4(address);
  return bytes === null ? null : `${shownWord(bytes)}:${shownPort(port)}`;
}

/** ::1, or an IPv4 address in its IPv6 form; nobody else can reach us. */
function shownV6({ address, port }: End): string | null {
  const zeros = '0'.repeat(16);
  const bytes = bytesV4(address);
  if (bytes !== null) return `${zeros}${shownWord([0, 0, 255, 255])}${shownWord(bytes)}:${shownPort(port)}`;
  return address === '::1' ? `${zeros}00000000${shownWord([0, 0, 0, 1])}:${shownPort(port)}` : null;
}

function bytesV4(address: string): number[] | null {
  return V4.exec(address)?.slice(1).map(Number) ?? null;
}

/** Four bytes of an address are shown as the number that this machine reads there. */
function shownWord(bytes: readonly number[]): string {
  const ordered = endianness() === 'LE' ? bytes.toReversed() : bytes;
  return ordered
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}

function shownPort(port: number): string {
  return port.toString(16).padStart(4, '0').toUpperCase();
}
