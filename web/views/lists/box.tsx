/** What is longer or wider than its place, in a box that scrolls alone: by keyboard, too. */
import type { ComponentChildren } from 'preact';

/** Who cannot be focused cannot be scrolled by keys. */
const REACHABLE = { tabIndex: 0 } as const;

export function Box({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="box" aria-label={label} {...REACHABLE}>
      {children}
    </section>
  );
}
