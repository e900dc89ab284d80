/**
 * The token in the link, and the cookie that it is exchanged for.
 *
 * Owns      both secrets, and the unguessable path below which everything lies that is not the page.
 * Promises  1. The token works once. Who tries others may do so MOST_WRONG times; then nobody gets in any more.
 *           2. Comparing takes the same time however much of it was right.
 *           3. A browser sends the cookie to no other program on this machine: cookies know no ports, but they know paths, and
 *              nobody else has this one.
 *
 *     revmap serve ── http://127.0.0.1:40123/#token=8f… ──► the page      (a browser sends no fragment to anybody)
 *     GET /session, Authorization: Bearer 8f… ──► { api: '/5a…', … }, Set-Cookie: revmap=c1…; Path=/5a…
 *     GET /5a…/file/0, Cookie: revmap=c1…     ──► bytes
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Refusal } from './refusal.ts';

const SECRET_BYTES = 16;
const MOST_WRONG = 20;
const COOKIE = 'revmap';
const SCHEME = /^Bearer +(\S+)$/i;

const RUN_AGAIN = 'Run revmap serve again for a new one.';

export class Session {
  readonly token = secret();
  /** Before the exchange nothing is there. */
  readonly api = `/${secret()}`;
  private readonly cookie = secret();
  private isUsed = false;
  private wrong = 0;

  /** The Set-Cookie of the one who has the token. */
  exchange(authorization: string | undefined): string | Refusal {
    if (this.wrong >= MOST_WRONG) return new Refusal(403, `Too many wrong tokens: the link is closed. ${RUN_AGAIN}`);
    const given = SCHEME.exec(authorization ?? '')?.[1];
    if (given === undefined) return refusedToken('A token is expected.');
    if (!isSame(given, this.token)) {
      this.wrong += 1;
      return refusedToken(`This link is of another revmap serve. ${RUN_AGAIN}`);
    }
    if (this.isUsed) return new Refusal(403, `This page's link was used already. ${RUN_AGAIN}`);
    this.isUsed = true;
    return `${COOKIE}=${this.cookie}; HttpOnly; SameSite=Strict; Path=${this.api}`;
  }

  /**
   * Of a Cookie header, one of ours. Other programs on this machine may have set cookies of the same name, which stand beside it:
   * they do not keep the page out.
   */
  isOurs(cookies: string | undefined): boolean {
    const values = (cookies ?? '').split(/; ?/).filter((pair) => pair.startsWith(`${COOKIE}=`));
    return this.isUsed && values.some((pair) => isSame(pair.slice(COOKIE.length + 1), this.cookie));
  }
}

function secret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

function refusedToken(why: string): Refusal {
  return new Refusal(401, why, { 'WWW-Authenticate': 'Bearer' });
}

/** By their hashes, which are equally long and say nothing of where they part. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
