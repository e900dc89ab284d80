/**
 * What can be asked for. All of it is known when the server starts.
 *
 *     GET /, /assets/…      the page                            anybody whom the door lets in
 *     GET /session          the cookie, and what is here        who has the token, once
 *     GET API/files         what is here                        who has the cookie, as all below
 *     GET API/file/N        a file, as it lies there
 *     GET API/live          this host, now: a snapshot file     only with --live
 */
import type { Asked } from './door.ts';
import { type AnswerHeaders, NOT_KEPT } from './headers.ts';
import type { LiveSnapshots } from './live_snapshots.ts';
import type { Page } from './page.ts';
import { Refusal } from './refusal.ts';
import { contentOf, type ServedFile } from './served_files.ts';
import type { Session } from './session.ts';

export interface Served {
  readonly page: Page;
  readonly files: readonly ServedFile[];
  /** Null: the live host is not served. */
  readonly live: LiveSnapshots | null;
}

export type Answer = Refusal | Given;

export interface Given {
  readonly status: 200 | 304;
  readonly headers: AnswerHeaders;
  /** Of the body; null where there is none to speak of. */
  readonly bytes: number | null;
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

const NOTHING_THERE = new Refusal(404, 'Nothing is there.');
const NO_SESSION = new Refusal(401, 'This page has no session. Open the link that revmap serve printed.');
const ONLY_GET = new Refusal(405, 'Only GET.', { Allow: 'GET' });
const NOT_BY_A_PART = new Refusal(403, 'Only the page’s own program asks for this.');

const BYTES: AnswerHeaders = { ...NOT_KEPT, 'Content-Type': 'application/octet-stream' };

export class Routes {
  private readonly served: Served;
  private readonly session: Session;

  constructor(served: Served, session: Session) {
    this.served = served;
    this.session = session;
  }

  async answer(asked: Asked): Promise<Answer> {
    const { target } = asked;
    if (target === '/session') return this.newSession(asked);
    if (target.startsWith(`${this.session.api}/`)) return this.api(asked, target.slice(this.session.api.length));
    return this.page(asked);
  }

  private page({ target, headers }: Asked): Answer {
    // What stands behind a question mark is the page's own business.
    const part = this.served.page.get(target.split('?', 1)[0]!);
    if (part === undefined) return NOTHING_THERE;
    const { bytes, type, etag } = part;
    const kept = { 'Cache-Control': 'no-cache', ETag: etag };
    if (headers.get('if-none-match') === etag) return { status: 304, headers: kept, bytes: null, body: null };
    return { status: 200, headers: { ...kept, 'Content-Type': type }, bytes: bytes.length, body: bytes };
  }

  private newSession({ method, headers, use }: Asked): Answer {
    if (use !== 'fetch') return NOT_BY_A_PART;
    if (method !== 'GET') return ONLY_GET;
    const cookie = this.session.exchange(headers.get('authorization'));
    if (cookie instanceof Refusal) return cookie;
    return json({ api: this.session.api, ...this.whatIsHere() }, { 'Set-Cookie': cookie });
  }

  private async api({ method, headers, use }: Asked, path: string): Promise<Answer> {
    if (use !== 'fetch') return NOT_BY_A_PART;
    if (!this.session.isOurs(headers.get('cookie'))) return NO_SESSION;
    if (path === '/files') return json(this.whatIsHere());
    if (path === '/live') return method === 'GET' ? this.liveSnapshot() : ONLY_GET;
    const file = this.served.files.find((_, n) => path === `/file/${n}`);
    if (file === undefined) return NOTHING_THERE;
    return { status: 200, headers: BYTES, bytes: file.bytes, body: contentOf(file) };
  }

  private async liveSnapshot(): Promise<Answer> {
    const { live } = this.served;
    if (live === null) return NOTHING_THERE;
    const bytes = await live.bytes();
    return { status: 200, headers: BYTES, bytes: bytes.length, body: bytes };
  }

  private whatIsHere(): object {
    const { files, live } = this.served;
    return {
      files: files.map(({ name, bytes, kind }) => ({ name, bytes, kind })),
      live: live !== null,
      frames: live?.frames === true,
    };
  }
}

function json(value: object, headers: AnswerHeaders = {}): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return {
    status: 200,
    headers: { ...NOT_KEPT, 'Content-Type': 'application/json', ...headers },
    bytes: body.length,
    body,
  };
}
