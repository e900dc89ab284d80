/** What is wider than its place, in a box that scrolls alone: by keyboard, too. */
import type { ComponentChildren } from 'preact';

/** A box that scrolls has to be reached without a mouse. */
const REACHABLE = { tabIndex: 0 } as const;

export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="scroll" aria-label={label} {...REACHABLE}>
      {children}
    </section>
  );
}
