/** A box that scrolls sideways, which the keyboard reaches: what is wide in it is never cut off. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export function ScrollBox({ label, children }: { label: string; children: ComponentChildren }) {
  const box = useRef<HTMLElement>(null);
  // Of a box it is no control that is focused, but the place from which arrow keys scroll.
  useLayoutEffect(() => {
    box.current!.tabIndex = 0;
  }, []);
  return (
    <section class="rev-scroll" ref={box} aria-label={label}>
      {children}
    </section>
  );
}
