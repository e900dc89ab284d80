/**
 * Sockets on both loopback addresses, with one port.
 *
 * Promises  1. Nothing outside this machine can connect: no address but 127.0.0.1 and ::1 is ever listened on.
 *           2. If ::1 is there it is ours too, with the same port: `localhost` may mean either, and must not lead to somebody else.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError } from '../mm/bug.ts';

/** A port that is free on 127.0.0.1 is mostly free on ::1, too. */
const TRIES = 10;
/** This machine has no IPv6. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/** `port` 0: any. `make` makes a server that does not listen yet. */
export async function listenOnLoopback(port: number, make: () => Server): Promise<{ port: number; servers: Server[] }> {
  for (let tries = 1; ; tries++) {
    const v4 = make();
    try {
      await listening(v4, '127.0.0.1', port);
    } catch (error) {
      throw inUse(error) ? new InputError('--port', 0, `${port} is in use`) : error;
    }
    const { port: found } = v4.address() as AddressInfo;
    const v6 = make();
    try {
      await listening(v6, '::1', found);
      return { port: found, servers: [v4, v6] };
    } catch (error) {
      if (NO_SUCH_ADDRESS.has((error as NodeJS.ErrnoException).code ?? '')) return { port: found, servers: [v4] };
      v4.close();
      if (!inUse(error)) throw error;
      if (port !== 0 || tries === TRIES) throw new InputError('--port', 0, `${found} is in use on ::1`);
    }
  }
}

function inUse(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
