/** A table that is wider than its place: it scrolls in a box of its own, by keyboard too. */
import type { ComponentChildren } from 'preact';

/** Who cannot be focused cannot be scrolled by keys. */
const FOCUSABLE = { tabIndex: 0 };

export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="scroll" aria-label={label} {...FOCUSABLE}>
      {children}
    </section>
  );
}
