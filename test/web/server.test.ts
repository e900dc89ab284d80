/**
 * What is tried against `revmap serve`, one line each, and what it says. Each group begins with what must work: a server that
 * refused everything would fail here.
 *
 *     $H the Host  $P the port  $A the API's path  $C the cookie  $T the token
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Entered,
  entered,
  FETCH,
  Installed,
  OPENED,
  PAGE,
  type RequestHeaders,
  rawAnswer,
  requestText,
  type Serving,
} from './serving.ts';

const SECRET = '%mmp 1\n1 brk(0)\n# what nobody else may read\n';

let installed: Installed;
let serving: Serving;
/** One more, as somebody runs who looks at two things at once. */
let other: Serving;
let here: Entered;
let there: Entered;

beforeAll(async () => {
  installed = Installed.make();
  const file = installed.file('secret.mmp', SECRET);
  [serving, other] = await Promise.all([installed.serve([file]), installed.serve([file])]);
  here = await entered(serving);
  there = await entered(other);
});
afterAll(() => installed.remove());

interface Attack {
  readonly why: string;
  readonly want: number | readonly number[];
  /** As which good request it begins: opening the page, a fetch of the API, the exchange. */
  readonly as?: 'page' | 'api' | 'session';
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** In place of those of the good request; null takes one away. */
  readonly headers?: RequestHeaders;
  /** The whole request instead. */
  readonly raw?: string;
  /** The body must be this. */
  readonly body?: string;
}

const page = (why: string, want: number, headers: RequestHeaders): Attack => ({ why, want, as: 'page', headers });
const api = (why: string, want: number, headers: RequestHeaders): Attack => ({ why, want, as: 'api', headers });
const session = (why: string, want: number, headers: RequestHeaders): Attack => ({ why, want, as: 'session', headers });
const path = (why: string, want: number, target: string): Attack => ({ why, want, as: 'page', target });
const below = (why: string, want: number, target: string): Attack => ({ why, want, as: 'api', target: `$A${target}` });
const method = (name: string, want: number, headers: RequestHeaders = {}): Attack => ({
  why: name,
  want,
  as: 'api',
  method: name,
  headers,
});
const raw = (why: string, want: number | readonly number[], text: string): Attack => ({ why, want, raw: text });

const GROUPS: Readonly<Record<string, readonly Attack[]>> = {
  'which host it is (rebinding: a name of somebody else that points at us)': [
    { why: 'good: the address', want: 200, as: 'page', body: PAGE },
    page('good: IPv6', 200, { Host: '[::1]:$P' }),
    page('good: localhost', 200, { Host: 'localhost:$P' }),
    page('good: what a proxy would add is not believed', 200, { 'X-Forwarded-Host': 'evil.test' }),
    page('a name that points at us', 403, { Host: 'evil.test:$P' }),
    page('… without the port', 403, { Host: 'evil.test' }),
    page('… that begins like ours', 403, { Host: '127.0.0.1:$P.evil.test' }),
    page('… that ends like ours', 403, { Host: 'evil.test@127.0.0.1:$P' }),
    page('a public name of 127.0.0.1', 403, { Host: '127.0.0.1.nip.io:$P' }),
    page('localhost6, which took others in', 403, { Host: 'localhost6:$P' }),
    page('ip6-localhost', 403, { Host: 'ip6-localhost:$P' }),
    page('a name below localhost', 403, { Host: 'evil.localhost:$P' }),
    page('0.0.0.0, which some browsers lead here', 403, { Host: '0.0.0.0:$P' }),
    page('all of IPv6', 403, { Host: '[::]:$P' }),
    page('a dot behind the address', 403, { Host: '127.0.0.1.:$P' }),
    page('a dot behind the name', 403, { Host: 'localhost.:$P' }),
    page('large letters', 403, { Host: 'LOCALHOST:$P' }),
    page('a short address', 403, { Host: '127.1:$P' }),
    page('the address as one number', 403, { Host: '2130706433:$P' }),
    page('… in hexadecimal', 403, { Host: '0x7f000001:$P' }),
    page('another loopback address', 403, { Host: '127.0.0.2:$P' }),
    page('IPv4 in IPv6', 403, { Host: '[::ffff:127.0.0.1]:$P' }),
    page('::1 in full', 403, { Host: '[0:0:0:0:0:0:0:1]:$P' }),
    page('IPv6 without brackets', 403, { Host: '::1:$P' }),
    page('no port', 403, { Host: '127.0.0.1' }),
    page('the port of somebody else', 403, { Host: '127.0.0.1:80' }),
    page('a zero before the port', 403, { Host: '127.0.0.1:0$P' }),
    page('two in one', 403, { Host: '127.0.0.1:$P, evil.test' }),
    page('nothing in it', 403, { Host: '' }),
    page('none', 400, { Host: null }),
    page('the same twice', 400, { Host: ['$H', '$H'] }),
    page('ours first, then another', 400, { Host: ['$H', 'evil.test'] }),
    { why: 'in the target, as to a proxy', want: 400, as: 'page', target: 'http://$H/' },
    { why: '… a bad one, with a good header', want: 400, as: 'page', target: 'http://evil.test/' },
    { why: 'HTTP/1.0 needs none', want: 505, as: 'page', version: '1.0', headers: { Host: null } },
    { why: 'HTTP/1.0 with one', want: 505, as: 'page', version: '1.0' },
    api('the API is asked no less', 403, { Host: 'evil.test:$P' }),
    session('nor the exchange, token or not', 403, { Host: 'evil.test:$P' }),
  ],
  'whose page asks': [
    { why: 'good: ours', want: 200, as: 'api', headers: { Origin: 'http://$H' } },
    api('good: ours under its other name', 200, { Host: 'localhost:$P', Origin: 'http://localhost:$P' }),
    api('another site', 403, { Origin: 'http://evil.test' }),
    api('a sandboxed frame, a file', 403, { Origin: 'null' }),
    api('another port of this machine', 403, { Origin: 'http://127.0.0.1:8080' }),
    api('no port', 403, { Origin: 'http://127.0.0.1' }),
    api('https', 403, { Origin: 'https://$H' }),
    api('our other name is another origin', 403, { Origin: 'http://localhost:$P' }),
    api('one that begins like ours', 403, { Origin: 'http://$H.evil.test' }),
    api('with a path', 403, { Origin: 'http://$H/' }),
    api('large letters', 403, { Origin: 'HTTP://$H' }),
    api('an extension', 403, { Origin: 'chrome-extension://abcdefghijklmnop' }),
    api('nothing in it', 403, { Origin: '' }),
    api('two in one', 403, { Origin: 'http://$H http://evil.test' }),
    api('ours and another', 400, { Origin: ['http://$H', 'http://evil.test'] }),
    page('the page is no more open than the API', 403, { Origin: 'http://evil.test' }),
    session('nor is the exchange', 403, { Origin: 'http://evil.test' }),
  ],
  'what the browser says that it is for': [
    { why: 'good: a fetch', want: 200, as: 'api' },
    { why: 'good: a person opens the page', want: 200, as: 'page' },
    { ...page('good: a script of the page', 200, { ...FETCH, 'Sec-Fetch-Dest': 'script' }), target: '/assets/page.js' },
    api('good: a browser of before 2020 says nothing', 200, {
      'Sec-Fetch-Site': null,
      'Sec-Fetch-Mode': null,
      'Sec-Fetch-Dest': null,
    }),
    api('another site', 403, { 'Sec-Fetch-Site': 'cross-site' }),
    api('another port: the same site to a browser', 403, { 'Sec-Fetch-Site': 'same-site' }),
    api('what no browser says', 403, { 'Sec-Fetch-Site': 'Same-Origin' }),
    api('nobody’s fetch', 403, { 'Sec-Fetch-Site': 'none' }),
    { why: 'a person opens a file of the API', want: 403, as: 'api', headers: OPENED, target: '$A/file/0' },
    api('a script of another page', 403, { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' }),
    api('an image', 403, { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }),
    api('a fetch that may not be read', 403, { 'Sec-Fetch-Mode': 'no-cors' }),
    session('the exchange by a script element', 403, { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' }),
    page('a link on another site', 403, { 'Sec-Fetch-Site': 'cross-site' }),
    page('a link on another port', 403, { 'Sec-Fetch-Site': 'same-site' }),
    page('in a frame', 403, { 'Sec-Fetch-Dest': 'iframe' }),
    page('in a frame of our own', 403, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': 'iframe' }),
    page('in an object', 403, { 'Sec-Fetch-Dest': 'object' }),
    page('in an embed', 403, { 'Sec-Fetch-Dest': 'embed' }),
    page('as a service worker, which would stay', 403, { ...FETCH, 'Sec-Fetch-Dest': 'serviceworker' }),
    api('by a WebSocket of our own', 403, { 'Sec-Fetch-Mode': 'websocket' }),
    page('by a WebSocket', 403, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'websocket' }),
    api('said twice', 400, { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }),
  ],
  methods: [
    { why: 'good: HEAD says how long it is', want: 200, as: 'api', method: 'HEAD', target: '$A/file/0', body: '' },
    method('POST', 405),
    method('PUT', 405),
    method('DELETE', 405),
    method('PATCH', 405),
    method('TRACE', 405),
    method('PROPFIND', 405),
    method('OPTIONS', 405),
    method('OPTIONS', 403, { Origin: 'http://evil.test', 'Access-Control-Request-Method': 'GET' }),
    method('OPTIONS', 403, {
      Origin: 'http://evil.test',
      'Access-Control-Request-Private-Network': 'true',
      'Access-Control-Request-Method': 'GET',
    }),
    { why: 'HEAD uses no token', want: 405, as: 'session', method: 'HEAD' },
    raw('CONNECT', 405, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: $H\r\n\r\n'),
    raw('a small get', 400, 'get / HTTP/1.1\r\nHost: $H\r\n\r\n'),
    raw('HTTP/0.9', 505, 'GET /\r\n\r\n'),
  ],
  upgrades: [
    { why: 'good: without', want: 200, as: 'api' },
    api('a WebSocket', 400, {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
    }),
    page('… of another site', 403, { Connection: 'Upgrade', Upgrade: 'websocket', Origin: 'http://evil.test' }),
    page('HTTP/2', 400, { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' }),
    page('TLS', 400, { Connection: 'Upgrade', Upgrade: 'TLS/1.2' }),
    page('one that Connection does not speak of', 400, { Upgrade: 'websocket' }),
    raw('HTTP/2 at once', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    raw('TLS at once', 400, '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'),
  ],
  'bodies, and two readings of one request': [
    { why: 'good: a body of nothing', want: 200, as: 'api', headers: { 'Content-Length': '0' } },
    raw(
      'good: two requests at once',
      [200, 200],
      'GET / HTTP/1.1\r\nHost: $H\r\n\r\nGET / HTTP/1.1\r\nHost: $H\r\nConnection: close\r\n\r\n',
    ),
    raw(
      'the second is looked at, too',
      [200, 403],
      'GET / HTTP/1.1\r\nHost: $H\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n',
    ),
    raw(
      'what comes behind a bad one is not answered',
      403,
      'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\nGET / HTTP/1.1\r\nHost: $H\r\n\r\n',
    ),
    raw('a body', 413, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 5\r\n\r\nhello'),
    raw(
      'a body that is a request',
      413,
      'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 38\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1:$P\r\n\r\n',
    ),
    raw('a body of a GiB that never comes', 413, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 1073741824\r\n\r\n'),
    raw('a body in pieces', 413, 'GET / HTTP/1.1\r\nHost: $H\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    raw(
      'both lengths',
      400,
      'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    raw(
      'both, the other way round',
      400,
      'GET / HTTP/1.1\r\nHost: $H\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n',
    ),
    raw('two lengths', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello'),
    raw('a length twice in one', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 0, 5\r\n\r\nhello'),
    raw('a length below zero', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: -1\r\n\r\n'),
    raw('a length with a sign', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: +0\r\n\r\n'),
    raw('a length beyond 64 bits', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 18446744073709551616\r\n\r\n'),
    raw(
      'chunked is not the last',
      400,
      'GET / HTTP/1.1\r\nHost: $H\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ),
    raw('chunked misspelt', 413, 'GET / HTTP/1.1\r\nHost: $H\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'),
    raw('a space before the colon', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'),
    raw(
      'it waits to be told to go on',
      413,
      'GET / HTTP/1.1\r\nHost: $H\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
    ),
    raw('it expects something else', 413, 'GET / HTTP/1.1\r\nHost: $H\r\nExpect: 200-ok\r\n\r\n'),
    raw('lines that end with LF', 400, 'GET / HTTP/1.1\nHost: $H\n\n'),
    raw('lines that end with CR', 400, 'GET / HTTP/1.1\rHost: $H\r\r'),
    raw('a NUL in a header', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nX: a\0b\r\n\r\n'),
    raw('a header without a colon', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nX\r\n\r\n'),
    raw('a space in front of Host', 400, 'GET / HTTP/1.1\r\n Host: $H\r\n\r\n'),
    raw('a Host that goes on in the next line', 400, 'GET / HTTP/1.1\r\nHost: $H\r\n .evil.test\r\n\r\n'),
    raw('any header twice', 400, 'GET / HTTP/1.1\r\nHost: $H\r\nX: 1\r\nx: 2\r\n\r\n'),
    raw('HTTP/1.2', 400, 'GET / HTTP/1.2\r\nHost: $H\r\n\r\n'),
    raw('HTTP/2.0 in words', 505, 'GET / HTTP/2.0\r\nHost: $H\r\n\r\n'),
  ],
  paths: [
    { why: 'good: a part of the page', want: 200, as: 'page', target: '/assets/page.js' },
    { why: 'good: the page with a state in its address', want: 200, as: 'page', target: '/?view=frames&x=../..' },
    path('up', 404, '/../package.json'),
    path('up, far', 404, '/../../../../../../etc/passwd'),
    path('up, from a folder', 404, '/assets/../../package.json'),
    path('up, as %2e', 404, '/%2e%2e/package.json'),
    path('up, as %2f', 404, '/..%2fpackage.json'),
    path('up, encoded twice', 404, '/%252e%252e%252fpackage.json'),
    path('up, with backslashes', 404, '/..\\..\\package.json'),
    path('up, in overlong UTF-8', 404, '/%c0%ae%c0%ae/package.json'),
    path('up, with more dots', 404, '/....//....//package.json'),
    path('from the root', 404, '//etc/passwd'),
    path('as a file URL', 404, '/file:///etc/passwd'),
    path('a NUL', 404, '/index.html%00.js'),
    path('a file of the page, spelt otherwise', 404, '/index%2ehtml'),
    path('… as a folder', 404, '/index.html/'),
    path('… in large letters', 404, '/INDEX.HTML'),
    path('a folder', 404, '/assets/'),
    path('what lies beside the page', 404, '/cli.js'),
    path('the API without knowing where', 404, '/files'),
    path('a property of objects', 404, '/__proto__'),
    path('… of another kind', 404, '/constructor'),
    { why: 'no path', want: 400, as: 'page', target: 'index.html' },
    { why: 'all of the server', want: 400, as: 'page', target: '*' },
    { why: 'a path beyond 2048 characters', want: 414, as: 'page', target: `/?${'x'.repeat(2048)}` },
  ],
  'what is served': [
    { why: 'good: a file', want: 200, as: 'api', target: '$A/file/0', body: SECRET },
    {
      why: 'good: a range is not spoken of: all of it',
      want: 200,
      as: 'api',
      target: '$A/file/0',
      headers: { Range: 'bytes=0-0' },
      body: SECRET,
    },
    {
      why: 'good: nor are a thousand ranges',
      want: 200,
      as: 'api',
      target: '$A/file/0',
      headers: { Range: `bytes=${Array.from({ length: 1000 }, (_, i) => `${i}-`).join(',')}` },
      body: SECRET,
    },
    below('a file that is not there', 404, '/file/1'),
    below('one below zero', 404, '/file/-1'),
    below('another spelling of 0', 404, '/file/00'),
    below('… hexadecimal', 404, '/file/0x0'),
    below('… encoded', 404, '/file/%30'),
    below('… as a folder', 404, '/file/0/'),
    below('… with a question', 404, '/file/0?x'),
    below('up from it', 404, '/file/../../../etc/passwd'),
    below('by name', 404, '/file/secret.mmp'),
    below('by path', 404, '/file//etc/passwd'),
    below('an array’s own word', 404, '/file/length'),
    below('the folder of the API', 404, '/'),
    below('the live host, which was not offered', 404, '/live'),
  ],
  'the token and the cookie': [
    { why: 'good: the cookie', want: 200, as: 'api' },
    api('good: beside cookies of other programs, one of the same name', 200, {
      Cookie: 'revmap=0; x=y; $C; revmap=$T',
    }),
    session('the token a second time', 403, {}),
    session('none', 401, { Authorization: null }),
    session('one of zeros', 401, { Authorization: `Bearer ${'0'.repeat(32)}` }),
    session('that of another server', 401, { Authorization: 'Bearer $OTHER_T' }),
    session('all but the last letter', 401, { Authorization: 'Bearer $SHORT_T' }),
    session('nothing in it', 401, { Authorization: 'Bearer ' }),
    session('as a password', 401, { Authorization: 'Basic $T' }),
    session('two at once', 400, { Authorization: ['Bearer $T', 'Bearer x'] }),
    session('the cookie instead', 401, { Authorization: null, Cookie: '$C' }),
    { why: 'in the address', want: 404, as: 'session', target: '/session?token=$T', headers: { Authorization: null } },
    api('no cookie', 401, { Cookie: null }),
    api('one of zeros', 401, { Cookie: `revmap=${'0'.repeat(32)}` }),
    api('that of another server', 401, { Cookie: '$OTHER_C' }),
    {
      why: 'another server’s path and cookie',
      want: 404,
      as: 'api',
      target: '$OTHER_A/files',
      headers: { Cookie: '$OTHER_C' },
    },
    api('all but the last letter', 401, { Cookie: '$SHORT_C' }),
    api('and one letter more', 401, { Cookie: '$C0' }),
    api('another name', 401, { Cookie: 'x$C' }),
    api('in large letters', 401, { Cookie: 'REVMAP=$VALUE' }),
    api('in quotes', 401, { Cookie: 'revmap="$VALUE"' }),
    api('nothing in it', 401, { Cookie: 'revmap=' }),
    api('the token as a cookie', 401, { Cookie: 'revmap=$T' }),
    api('the cookie as a token', 401, { Cookie: null, Authorization: 'Bearer $VALUE' }),
    api('two lines of cookies', 400, { Cookie: ['revmap=0', '$C'] }),
    { why: 'the live host without a cookie', want: 401, as: 'api', target: '$A/live', headers: { Cookie: null } },
  ],
  'too much of it': [
    { why: 'good: cookies of other programs', want: 200, as: 'api', headers: { Cookie: `x=${'y'.repeat(8000)}; $C` } },
    page('a header of 20 KB', 431, { X: 'x'.repeat(20_000) }),
    page('a name of 20 KB', 431, { ['x'.repeat(20_000)]: '1' }),
    page('100 headers', 431, Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`X-${i}`, '1']))),
    page('a second Host behind 3,000 headers', 431, {
      ...Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`${i}`, '']) as [string, string][]),
      host: 'evil.test',
    }),
    { why: 'a path of 20 KB', want: 431, as: 'page', target: `/${'x'.repeat(20_000)}` },
    raw('a MB without an end', 431, `GET / HTTP/1.1\r\nHost: $H\r\nX: ${'x'.repeat(1 << 20)}`),
  ],
};

function filled(text: string): string {
  const { port, token } = serving;
  const value = here.cookie.slice('revmap='.length);
  const words: Readonly<Record<string, string>> = {
    $OTHER_A: there.api,
    $OTHER_C: there.cookie,
    $OTHER_T: other.token,
    $SHORT_C: here.cookie.slice(0, -1),
    $SHORT_T: token.slice(0, -1),
    $VALUE: value,
    $H: `127.0.0.1:${port}`,
    $P: String(port),
    $A: here.api,
    $C: here.cookie,
    $T: token,
  };
  return text.replace(/\$(?:OTHER_[ACT]|SHORT_[CT]|VALUE|[HPACT])/g, (word) => words[word]!);
}

function textOf({ as = 'page', method = 'GET', target, version, headers, raw }: Attack): string {
  if (raw !== undefined) return filled(raw);
  const good = {
    page: { target: '/', headers: { Host: '$H', ...OPENED } },
    api: { target: '$A/files', headers: { Host: '$H', Cookie: '$C', ...FETCH } },
    session: { target: '/session', headers: { Host: '$H', Authorization: 'Bearer $T', ...FETCH } },
  }[as];
  return filled(requestText(method, target ?? good.target, { ...good.headers, ...headers }, version));
}

for (const [group, attacks] of Object.entries(GROUPS)) {
  describe(group, () => {
    for (const attack of attacks) {
      const wanted = [attack.want].flat();
      test(`${attack.why}: ${wanted.join(', ')}`, async () => {
        const { statuses, text, isClosed } = await rawAnswer(serving.port, textOf(attack));
        expect(statuses, text.slice(0, 2000)).toEqual(wanted);
        expect(isClosed).toBe(true);
        for (const answer of text.split(/^(?=HTTP\/1\.1 \d)/m)) expectSafe(answer);
        if (attack.body !== undefined) expect(bodyOf(text)).toBe(attack.body);
        if (wanted.at(-1) === 200) return;
        // A refusal says nothing of what is here, and repeats nothing.
        for (const word of ['nobody else', here.api, here.cookie, serving.token, 'evil'])
          expect(bodyOf(text)).not.toContain(word);
        expect(text).not.toMatch(/^set-cookie/im);
      });
    }
  });
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

/** What every answer carries, and what none does. */
function expectSafe(answer: string): void {
  const head = answer.slice(0, answer.indexOf('\r\n\r\n'));
  for (const line of [
    /^Content-Security-Policy: default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/m,
    /^X-Content-Type-Options: nosniff$/m,
    /^X-Frame-Options: DENY$/m,
    /^Referrer-Policy: no-referrer$/m,
    /^Cross-Origin-Opener-Policy: same-origin$/m,
    /^Cross-Origin-Embedder-Policy: require-corp$/m,
    /^Cross-Origin-Resource-Policy: same-origin$/m,
    /^Permissions-Policy: .*camera=\(\)/m,
    /^Cache-Control: no-(?:store|cache)$/m,
    /^Content-Length: \d+$/m,
  ])
    expect(head).toMatch(line);
  expect(head).not.toMatch(/^access-control-|^transfer-encoding|^server:/im);
}

test('what the browser has is not sent again', async () => {
  const whole = await rawAnswer(serving.port, textOf({ why: '', want: 200 }));
  const etag = /^ETag: (.*)$/m.exec(whole.text)![1]!.trim();
  for (const [tag, status] of [
    [etag, 304],
    ['"another"', 200],
    ['*', 200],
  ] as const) {
    const { text, statuses } = await rawAnswer(serving.port, textOf(page('', status, { 'If-None-Match': tag })));
    expect(statuses).toEqual([status]);
    expect(bodyOf(text)).toBe(status === 304 ? '' : PAGE);
  }
});

test('there are no fewer than 180 attacks, and something good in each group', () => {
  const all = Object.values(GROUPS);
  expect(all.flat().filter(({ why }) => !why.startsWith('good')).length).toBeGreaterThanOrEqual(180);
  for (const group of all) expect(group[0]!.why).toMatch(/^good/);
});

test('after all of this the page is served as before, and nothing was said about it', async () => {
  const { text } = await rawAnswer(serving.port, textOf({ why: '', want: 200, as: 'api', target: '$A/file/0' }));
  expect(bodyOf(text)).toBe(SECRET);
  expect(serving.stderr.trim().split('\n')).toHaveLength(1);
  expect(serving.stdout.trim().split('\n')).toHaveLength(1);
});
