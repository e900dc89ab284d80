/**
 * Keys of the page.
 *
 * Owns      which key does what at the moment, and the list that `?` shows.
 * Promises  1. A key that is typed into a field is the field's.
 *           2. What no key is registered for goes on to the browser.
 */
import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Key {
  /** As in KeyboardEvent.key: 'n', 'ArrowLeft', '?', ' '. */
  readonly key: string;
  readonly says: string;
  readonly run: () => void;
}

export interface KeyGroup {
  readonly name: string;
  readonly keys: readonly Key[];
}

export const keyGroups: Signal<readonly KeyGroup[]> = signal([]);

/** Keys that work while the component is there. Those of the group that came last win. */
export function useKeys(name: string, keys: readonly Key[]): void {
  useEffect(() => {
    const group: KeyGroup = { name, keys };
    keyGroups.value = [...keyGroups.peek(), group];
    return () => {
      keyGroups.value = keyGroups.peek().filter((one) => one !== group);
    };
  }, [name, ...keys.map(({ key }) => key)]);
}

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (target.closest('input, select, textarea, [contenteditable], dialog[open], [data-keys=own]') !== null) return;
    // A box that scrolls is scrolled by them.
    if (target.matches('.scroll')) return;
    // Space and Enter press a focused button.
    if ((event.key === ' ' || event.key === 'Enter') && target.closest('button, a, summary') !== null) return;
    const found = keyGroups.value.flatMap(({ keys }) => keys).findLast(({ key }) => key === event.key);
    if (found === undefined) return;
    event.preventDefault();
    found.run();
  });
}

/** As it stands on the keyboard. */
export function keyName(key: string): string {
  const names: Readonly<Record<string, string>> = { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' };
  return names[key] ?? key;
}
