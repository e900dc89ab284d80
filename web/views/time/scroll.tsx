/** A box that scrolls by itself: reached by keyboard, and named. */
import type { ComponentChildren, RefObject } from 'preact';

interface ScrollProps {
  readonly label: string;
  readonly box?: RefObject<HTMLElement | null>;
  readonly children: ComponentChildren;
}

export function Scroll({ label, box, children }: ScrollProps) {
  // A box with a focus of its own, because it scrolls: who has no mouse scrolls it with the arrow keys.
  const focus = { tabIndex: 0, ...(box === undefined ? {} : { ref: box }) };
  return (
    <section class="scroll" aria-label={label} data-keys="own" {...focus}>
      {children}
    </section>
  );
}
