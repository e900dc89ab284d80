/**
 * The door: what is looked at before anybody asks what a request is for.
 *
 * Owns      which requests may have been made by our page, or by a person who opens it. Who made the connection: peers.ts.
 * Promises  1. The host is one of three names with our port, letter for letter: a name that somebody's DNS points at us is none.
 *           2. Where a browser says who asks (Origin, Sec-Fetch-Site), it is this page; where it says what for, it is something that
 *              this page does. A person may open the page, and nothing else.
 *           3. No header stands twice, so nobody can read another one than we did.
 *           4. It reads and does nothing: no method but GET and HEAD, no body, no upgrade.
 * Read      docs/serve.md
 */
import { Refusal } from './refusal.ts';

/** What node:http has read. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

/** A request that came through. */
export interface Asked {
  readonly method: 'GET' | 'HEAD';
  /** As it came: nothing is decoded. */
  readonly target: string;
  /** By name, in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** `fetch` by a script, or not said; `part` of a page, as an image; `document` in the address bar. */
  readonly use: 'fetch' | 'part' | 'document';
}

const MOST_HEADERS = 64;
const MOST_TARGET = 2048;
const TARGET = /^\/[\x21-\x7e]*$/;

/** Sec-Fetch-Dest of what a page is made of. Not there: iframe, object, embed, audio, serviceworker … */
const PARTS: ReadonlySet<string> = new Set(['script', 'style', 'font', 'image', 'manifest', 'worker', 'empty']);
/** Sec-Fetch-Mode. Not there: websocket. */
const MODES: ReadonlySet<string> = new Set(['navigate', 'cors', 'same-origin', 'no-cors']);

const NOT_OF_THIS_PAGE = new Refusal(403, 'revmap answers only its own page. Paste the link into the address bar.');

export class Door {
  private readonly hosts: ReadonlySet<string>;

  constructor(port: number) {
    this.hosts = new Set(['127.0.0.1', '[::1]', 'localhost'].map((name) => `${name}:${port}`));
  }

  check({ method, url, httpVersion, rawHeaders }: RawRequest): Asked | Refusal {
    if (rawHeaders.length > 2 * MOST_HEADERS) return new Refusal(431, `More than ${MOST_HEADERS} headers.`);
    const headers = onlyOnce(rawHeaders);
    if (headers === null) return new Refusal(400, 'A header stands there twice.');
    if (httpVersion !== '1.1') return new Refusal(505, 'HTTP/1.1 is spoken here.');
    const host = headers.get('host');
    if (host === undefined) return new Refusal(400, 'There is no Host.');
    if (!this.hosts.has(host)) return new Refusal(403, 'This Host is none of ours.');
    const origin = headers.get('origin');
    if (origin !== undefined && origin !== `http://${host}`) return NOT_OF_THIS_PAGE;
    const use = useOf(headers);
    if (use === null) return NOT_OF_THIS_PAGE;
    if (method !== 'GET' && method !== 'HEAD') return new Refusal(405, 'Only GET and HEAD.', { Allow: 'GET, HEAD' });
    if (headers.has('upgrade')) return new Refusal(400, 'There is nothing to upgrade to.');
    if (hasBody(headers)) return new Refusal(413, 'No request has a body here.');
    if (url.length > MOST_TARGET) return new Refusal(414, `More than ${MOST_TARGET} characters.`);
    if (!TARGET.test(url)) return new Refusal(400, 'A path is expected.');
    return { method, target: url, headers, use };
  }
}

/** Null if a name is there twice. */
function onlyOnce(rawHeaders: readonly string[]): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.set(rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!);
  return 2 * headers.size === rawHeaders.length ? headers : null;
}

function hasBody(headers: ReadonlyMap<string, string>): boolean {
  return (headers.get('content-length') ?? '0') !== '0' || headers.has('transfer-encoding') || headers.has('expect');
}

/** What the browser says that it wants this for; null if our page never does that. What says nothing is no browser of today. */
function useOf(headers: ReadonlyMap<string, string>): Asked['use'] | null {
  const site = headers.get('sec-fetch-site') ?? 'same-origin';
  const mode = headers.get('sec-fetch-mode') ?? 'cors';
  const dest = headers.get('sec-fetch-dest') ?? (mode === 'navigate' ? 'document' : 'empty');
  if (!MODES.has(mode)) return null;
  if (mode === 'navigate')
    return dest === 'document' && (site === 'none' || site === 'same-origin') ? 'document' : null;
  if (site !== 'same-origin' || !PARTS.has(dest)) return null;
  return dest === 'empty' && mode !== 'no-cors' ? 'fetch' : 'part';
}
