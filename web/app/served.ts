/**
 * The page's half of `revmap serve`: from the link to bytes.
 *
 * Owns      the token in the fragment, its exchange, and where the page finds its session again after a reload.
 * Promises  1. The token is out of the address bar before anything else happens, and used once.
 *           2. On a plain static host nothing is asked of anybody: there is neither a token nor a session.
 *           3. What went wrong is a sentence for the person who reads the page.
 * Read      docs/serve.md
 */
import { store, stored } from '../ui/storage.ts';

export interface ServedFile {
  /** What `fetchFile` takes. */
  readonly number: number;
  readonly name: string;
  readonly bytes: number;
  readonly kind: 'recording' | 'program' | 'snapshot';
}

export interface Served {
  readonly files: readonly ServedFile[];
  /** There is a host to be asked, and its answers have numbers of frames. */
  readonly live: boolean;
  readonly frames: boolean;
  /** As it lies there, packed if it is. */
  fetchFile(number: number): Promise<Uint8Array<ArrayBuffer>>;
  /** This host now: the bytes of a snapshot file. */
  fetchLive(): Promise<Uint8Array<ArrayBuffer>>;
}

interface Here {
  readonly files: readonly Omit<ServedFile, 'number'>[];
  readonly live: boolean;
  readonly frames: boolean;
}

const TOKEN = /^#token=([0-9a-f]{32})$/;
const API = /^\/[0-9a-f]{32}$/;
/** localStorage is an origin's own, and so a port's. The path says where to ask; the cookie, which no script sees, that we may. */
const KEPT_AS = 'revmap.api';
const GONE = 'revmap serve does not answer any more. Run it again, and open the new link.';

/**
 * Null: no `revmap serve` is behind this page, or its session is over. Rejects, with a sentence, where a link did not work.
 * Called before anybody else reads the fragment.
 */
export async function connectToServer(): Promise<Served | null> {
  const token = takeToken();
  if (token === null) return resumed();
  const answer = await asked('/session', { headers: { Authorization: `Bearer ${token}` } });
  if (answer.ok) {
    const { api, ...here } = (await answer.json()) as Here & { api: string };
    if (!API.test(api)) throw new Error(GONE);
    store('localStorage', KEPT_AS, api);
    return new Session(api, here);
  }
  // The same link a second time, in the browser that has used it.
  const before = await resumed();
  if (before !== null) return before;
  throw new Error(await sentence(answer));
}

class Session implements Served {
  readonly files: readonly ServedFile[];
  readonly live: boolean;
  readonly frames: boolean;
  private readonly api: string;

  constructor(api: string, { files, live, frames }: Here) {
    this.api = api;
    this.files = files.map((file, number) => ({ number, ...file }));
    this.live = live;
    this.frames = frames;
  }

  fetchFile(number: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.bytes(`/file/${number}`);
  }

  fetchLive(): Promise<Uint8Array<ArrayBuffer>> {
    return this.bytes('/live');
  }

  private async bytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const answer = await asked(`${this.api}${path}`);
    if (!answer.ok) throw new Error(await sentence(answer));
    try {
      return new Uint8Array(await answer.arrayBuffer());
    } catch {
      throw new Error(`It ended in the middle. ${GONE}`);
    }
  }
}

function takeToken(): string | null {
  const token = TOKEN.exec(location.hash)?.[1] ?? null;
  if (token !== null) history.replaceState(history.state, '', location.pathname + location.search);
  return token;
}

/** The session of an earlier load of this page. */
async function resumed(): Promise<Served | null> {
  const api = kept();
  if (api === null) return null;
  const answer = await asked(`${api}/files`).catch(() => null);
  if (answer?.ok === true) return new Session(api, (await answer.json()) as Here);
  // Another server has this port now, or none.
  store('localStorage', KEPT_AS, null);
  return null;
}

async function asked(path: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(path, { cache: 'no-store', credentials: 'same-origin', redirect: 'error', ...init });
  } catch {
    throw new Error(GONE);
  }
}

/** The server refuses in sentences; what is none of them comes from somebody else. */
async function sentence(answer: Response): Promise<string> {
  const isText = answer.headers.get('Content-Type')?.startsWith('text/plain') === true;
  const text = isText ? (await answer.text()).trim() : '';
  return text === '' ? GONE : text;
}

/** Where a browser keeps nothing, a reload needs a new link. */
function kept(): string | null {
  const api = stored('localStorage', KEPT_AS);
  return api !== null && API.test(api) ? api : null;
}
