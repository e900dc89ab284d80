/** What is larger than its place, in a box that scrolls alone: by keyboard, too. */
import type { ComponentChildren, RefObject } from 'preact';

interface ScrollProps {
  readonly label: string;
  readonly box?: RefObject<HTMLElement | null>;
  readonly children: ComponentChildren;
}

export function Scroll({ label, box, children }: ScrollProps) {
  // A box that scrolls has to be reached without a mouse; while it has the focus, arrows are its own (keys.ts).
  const focus = { tabIndex: 0, ...(box === undefined ? {} : { ref: box }) };
  return (
    <section class="scroll" aria-label={label} {...focus}>
      {children}
    </section>
  );
}
