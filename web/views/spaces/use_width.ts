/** How wide an element is, in steps: a picture whose form the worker makes is not asked for at every pixel. */
import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

const STEP = 16;

export function useWidth(element: RefObject<HTMLElement | null>): Signal<number> {
  const width = useSignal(0);
  useEffect(() => {
    const measure = () => {
      width.value = Math.floor((element.current?.clientWidth ?? 0) / STEP) * STEP;
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return width;
}
