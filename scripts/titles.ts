/**
 * Titles of tests, read from the files, so that a page can name a test and a check can say whether it is there.
 *
 * Promises  1. A title is what stands in the first argument of `test`, `it` or `describe`; where it is made of parts (`${kernel}: …`),
 *              a part may be any text that stands in the file.
 *           2. Nothing is run.
 */

export interface Titles {
  readonly file: string;
  readonly code: string;
  readonly titles: readonly string[];
}

/** `test(`, `test.each(table)(`, `describe.skipIf(x)(`, up to the quote that opens the title. */
const OPENING = /\b(?:test|it|describe)(?:\.\w+(?:\((?:[^()]|\([^()]*\))*\))?)*\s*\(\s*(['"`])/g;

export function titlesOf(file: string, code: string): Titles {
  const titles: string[] = [];
  for (const match of code.matchAll(OPENING)) {
    const title = literalAt(code, match.index + match[0].length, match[1]!);
    if (title !== null) titles.push(title);
  }
  return { file, code, titles };
}

/** What stands from `from` up to the closing quote; null if it is not closed. Placeholders stay as they are. */
function literalAt(code: string, from: number, quote: string): string | null {
  let text = '';
  for (let at = from; at < code.length; at++) {
    const letter = code[at]!;
    if (letter === '\\') {
      at += 1;
      text += code[at] ?? '';
    } else if (letter === quote) {
      return text;
    } else if (letter === '\n' && quote !== '`') {
      return null;
    } else {
      text += letter;
    }
  }
  return null;
}

/**
 * A title of the file that begins with `wanted`, or has it: as it stands in the file. `wanted` may fill placeholders with text that
 * stands in the file, too. Null if there is none.
 */
export function titleWith({ code, titles }: Titles, wanted: string): string | null {
  const written = titles.find((title) => title.includes(wanted));
  if (written !== undefined) return written;
  for (const title of titles) {
    if (title.includes('${') && beginsWith(code, title.split(/\$\{[^}]*\}/), wanted)) return wanted;
  }
  return null;
}

/** `wanted` is the beginning of a title whose fixed parts are `parts`; between them stands what the file has somewhere. */
function beginsWith(code: string, parts: readonly string[], wanted: string): boolean {
  const [first = '', ...rest] = parts;
  if (!wanted.startsWith(first)) return wanted.length > 0 && first.startsWith(wanted);
  const left = wanted.slice(first.length);
  if (left === '' || rest.length === 0) return left === '';
  if (code.includes(left)) return true;
  for (let end = left.length - 1; end > 0; end--) {
    if (code.includes(left.slice(0, end)) && beginsWith(code, rest, left.slice(end))) return true;
  }
  return false;
}
