/**
 * Words that the browser keeps for the page.
 *
 * Promises  Where there is no storage (a page in a folder may have none) nothing is found, and what is kept lasts as long as the page.
 */

/** `sessionStorage` ends with its tab. */
export type Where = 'localStorage' | 'sessionStorage';

export function stored(where: Where, key: string): string | null {
  try {
    return globalThis[where].getItem(key);
  } catch {
    return null;
  }
}

/** null: it is forgotten. */
export function store(where: Where, key: string, word: string | null): void {
  try {
    if (word === null) globalThis[where].removeItem(key);
    else globalThis[where].setItem(key, word);
  } catch {
    // Then it lasts as long as the page.
  }
}
