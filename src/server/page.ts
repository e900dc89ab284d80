/**
 * The page's own files: read once, and never again.
 *
 * Owns      a Map from the path of a request to bytes. There is no other way from a request to a file of the page, so no path that
 *           leads elsewhere can be written: `..`, `%2e`, a backslash or a NUL is a name that is not in the Map.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { InputError } from '../mm/bug.ts';

export interface PagePart {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

export type Page = ReadonlyMap<string, PagePart>;

const INDEX = 'index.html';

/** What a browser is told; of what is not here it makes nothing (nosniff). */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.json', 'application/json'],
  ['.map', 'application/json'],
  ['.webmanifest', 'application/manifest+json'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.ico', 'image/x-icon'],
  ['.woff2', 'font/woff2'],
]);

export function readPage(folder: string): Page {
  const page = new Map<string, PagePart>();
  for (const name of namesBelow(folder)) {
    const bytes = readFileSync(join(folder, name));
    const part = {
      bytes,
      type: TYPES.get(extname(name)) ?? 'application/octet-stream',
      etag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
    };
    page.set(encodeURI(`/${name}`), part);
    if (name === INDEX) page.set('/', part);
  }
  if (!page.has('/')) throw new InputError(folder, 0, 'the page is not built: npm run build:web builds it');
  return page;
}

/** Regular files; what a link names is not part of the page. */
function namesBelow(folder: string, above = ''): string[] {
  try {
    return readdirSync(join(folder, above), { withFileTypes: true }).flatMap((entry) => {
      const name = `${above}${entry.name}`;
      if (entry.isDirectory()) return namesBelow(folder, `${name}/`);
      return entry.isFile() ? [name] : [];
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
