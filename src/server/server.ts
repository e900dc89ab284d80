/**
 * `revmap serve`: gives the page its own files, and bytes to work on.
 *
 * Owns      what happens to a request: who may ask (peers.ts), may it be our page's (door.ts), is there time (limits.ts), what is
 *           asked for (routes.ts).
 * Promises  1. Every answer carries SAFE_HEADERS, and its length is known before its first byte.
 *           2. Nothing is written down: no log, no file. Errors of our own are said on stderr, without the request.
 *           3. Another user's connection gets 403 and nothing else, and takes nobody's place.
 *           4. A client that is slow, or stops, loses its connection.
 * Read      docs/serve.md, docs/decisions/0020-the-server-gives-files.md
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { type Asked, Door } from './door.ts';
import { SAFE_HEADERS } from './headers.ts';
import { LIMITS, type Limits, Rate } from './limits.ts';
import { listenOnLoopback } from './listen.ts';
import type { Peers } from './peers.ts';
import { Refusal } from './refusal.ts';
import { type Given, Routes, type Served } from './routes.ts';
import { Session } from './session.ts';

export interface ServeOptions extends Served {
  readonly peers: Pick<Peers, 'isServed'>;
  /** 0: any that is free. */
  readonly port: number;
  /** After so long without a request it ends; infinite: never. */
  readonly idleMs: number;
  readonly limits?: Partial<Limits>;
}

export interface RunningServer {
  readonly port: number;
  readonly token: string;
  /** Resolves when nobody asks for anything any more; idleMs says how long that is. */
  readonly idle: Promise<void>;
  close(): Promise<void>;
}

const CHECK_MS = 500;
/** So long the end of a connection may take that was refused … */
const LINGER_MS = 300;
/** … while no more than so many are open. */
const MOST_OPEN = 256;

const NOT_SERVED = new Refusal(403, 'This server is another user’s, or it cannot find out who you are.');
const TOO_FAST = new Refusal(429, 'Too many requests.', { 'Retry-After': 1 });
const OUR_FAULT = new Refusal(500, 'revmap failed; its terminal says where.');

/** What node:http could not read as a request, or would not wait for. */
const UNREAD: ReadonlyMap<string, Refusal> = new Map([
  ['HPE_HEADER_OVERFLOW', new Refusal(431, 'The headers are too long.')],
  ['ERR_HTTP_REQUEST_TIMEOUT', new Refusal(408, 'The request took too long.')],
]);
const NO_REQUEST = new Refusal(400, 'This is no request.');

export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const running = new Connections(options);
  const { port, servers } = await listenOnLoopback(options.port, () => running.newServer());
  running.open(port);
  return {
    port,
    token: running.session.token,
    idle: running.idle,
    close: async () => {
      running.close();
      await Promise.all([options.live?.close(), ...servers.map((server) => promisify(server.close.bind(server))())]);
    },
  };
}

class Connections {
  readonly session = new Session();
  readonly idle: Promise<void>;
  private readonly options: ServeOptions;
  private readonly limits: Limits;
  private readonly rate: Rate;
  private readonly routes: Routes;
  private door: Door | null = null;
  /** All that are open, ours and those that are being refused. */
  private readonly sockets = new Set<Socket>();
  private readonly served = new Set<Duplex>();
  /** How many answers are under way on each: a client may ask again before it was answered. */
  private readonly busy = new Map<Duplex, number>();
  private isIdle = () => {};
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(options: ServeOptions) {
    this.options = options;
    this.limits = { ...LIMITS, ...options.limits };
    this.rate = new Rate(this.limits.requestsPerSecond, this.limits.requestsAtOnce);
    this.routes = new Routes(options, this.session);
    this.idle = new Promise((resolve) => {
      this.isIdle = resolve;
    });
  }

  newServer(): Server {
    const { headerBytes, headersMs, stillMs } = this.limits;
    const server = createServer({
      insecureHTTPParser: false, // whatever NODE_OPTIONS says
      requireHostHeader: false, // the door asks for it, and answers as it answers everything
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: headersMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, headersMs),
    });
    server.maxHeadersCount = 0; // more than a number would be dropped in silence; the door counts all, and refuses
    server.setTimeout(stillMs);
    server.prependListener('connection', (socket: Socket) => this.connected(socket));
    server.on('request', (request, response) => void this.answer(request, response));
    // Without these, node:http answers by itself.
    server.on('checkContinue', (request, response) => void this.answer(request, response));
    server.on('checkExpectation', (request, response) => void this.answer(request, response));
    server.on('connect', (_request, socket) =>
      this.end(socket.resume(), new Refusal(405, 'This is no proxy.', { Allow: 'GET, HEAD' })),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.unread(error.code ?? '', socket));
    return server;
  }

  open(port: number): void {
    this.door = new Door(port);
    this.touched();
  }

  close(): void {
    clearTimeout(this.idleTimer);
    for (const socket of this.sockets) socket.destroy();
  }

  /** Before node:http sees it. */
  private connected(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.served.delete(socket);
    });
    const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
    const peer = { address: remoteAddress, port: remotePort };
    if (!this.options.peers.isServed(peer, { address: localAddress, port: localPort })) this.end(socket, NOT_SERVED);
    else if (this.served.size >= this.limits.connections) socket.destroy();
    else this.served.add(socket);
  }

  /**
   * Says it, and takes nothing any more. What still comes is let by for a moment: to a client that is still talking, closing at once would
   * be a reset, and it would not hear why.
   */
  private end(socket: Duplex, refusal: Refusal): void {
    this.served.delete(socket);
    socket.on('error', () => {});
    if (!socket.writable || this.sockets.size > MOST_OPEN) return void socket.destroy();
    socket.end(refusal.raw());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (!this.served.has(socket)) return; // it has been refused, whatever it says
    this.busy.set(socket, (this.busy.get(socket) ?? 0) + 1);
    response.on('close', () => this.answered(socket));
    const isHead = request.method === 'HEAD';
    // At once: nothing that comes behind a bad request may come before its answer.
    const asked = this.letIn(request);
    if (asked instanceof Refusal) return refuse(response, asked, isHead);
    socket.setTimeout(0); // a snapshot takes as long as it takes
    try {
      const answer = await this.routes.answer(asked);
      socket.setTimeout(this.limits.stillMs);
      if (answer instanceof Refusal) refuse(response, answer, isHead);
      else await give(response, answer, isHead);
      this.touched();
    } catch (error) {
      if (!isGone(error)) process.stderr.write(`revmap: ${error instanceof Error ? error.stack : error}\n`);
      if (response.headersSent) response.destroy();
      else refuse(response, OUR_FAULT, isHead);
    }
  }

  private letIn({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): Asked | Refusal {
    const asked = this.door?.check({ method, url, httpVersion, rawHeaders }) ?? OUR_FAULT;
    if (asked instanceof Refusal) return asked;
    // What is refused costs nothing, and takes nobody's turn: else any page could keep ours from being answered.
    if (!this.rate.take()) return TOO_FAST;
    this.touched();
    return asked;
  }

  private answered(socket: Duplex): void {
    const left = (this.busy.get(socket) ?? 1) - 1;
    if (left > 0) this.busy.set(socket, left);
    else this.busy.delete(socket);
  }

  private unread(code: string, socket: Duplex): void {
    if (!this.served.has(socket)) return; // it has been told
    // In the middle of an answer nothing can be said.
    if (this.busy.has(socket)) socket.destroy();
    else this.end(socket, UNREAD.get(code) ?? NO_REQUEST);
  }

  private touched(): void {
    const { idleMs } = this.options;
    clearTimeout(this.idleTimer);
    if (!Number.isFinite(idleMs)) return;
    this.idleTimer = setTimeout(() => (this.busy.size > 0 ? this.touched() : this.isIdle()), idleMs);
  }
}

function refuse(response: ServerResponse, refusal: Refusal, isHead: boolean): void {
  response.writeHead(refusal.status, refusal.allHeaders()).end(isHead ? undefined : refusal.text());
}

async function give(response: ServerResponse, { status, headers, bytes, body }: Given, isHead: boolean): Promise<void> {
  const length = bytes === null ? {} : { 'Content-Length': bytes };
  response.writeHead(status, { ...SAFE_HEADERS, ...headers, ...length });
  if (isHead || body === null) response.end();
  else if (body instanceof Uint8Array) response.end(body);
  else await promisify(pipeline)(body, response);
}

/** The client went away in the middle, which is its right. */
function isGone(error: unknown): boolean {
  return ['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
}
