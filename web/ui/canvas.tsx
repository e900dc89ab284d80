/**
 * A canvas as large as its place, sharp on every screen, drawn anew when its size, the colours or what it shows change.
 *
 * Promises  It is an image with a name for who does not see it; the table with the same facts stands beside it, by its view.
 */
import { useEffect, useRef } from 'preact/hooks';
import { colours } from './palette.ts';

export interface CanvasProps {
  /** What it shows, in a sentence. */
  readonly label: string;
  /** In CSS pixels. */
  readonly height: number;
  /** Draws all of it; sizes are CSS pixels. A new function draws anew. */
  readonly draw: (context: CanvasRenderingContext2D, width: number, height: number) => void;
  /** A click, in CSS pixels from the upper left. */
  readonly onPick?: (x: number, y: number) => void;
  readonly onHover?: (x: number, y: number) => void;
  readonly onLeave?: () => void;
}

export function Canvas({ label, height, draw, onPick, onHover, onLeave }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colour = colours.value;
  useEffect(() => {
    const element = canvas.current!;
    const paint = (): void => {
      const width = element.clientWidth;
      const ratio = devicePixelRatio;
      element.width = Math.max(1, Math.round(width * ratio));
      element.height = Math.max(1, Math.round(height * ratio));
      const context = element.getContext('2d')!;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      draw(context, width, height);
    };
    // It tells the size once at the beginning, too: in the next frame, before that is shown.
    const size = new ResizeObserver(paint);
    size.observe(element);
    return () => size.disconnect();
  }, [draw, height, colour]);
  const at = (event: MouseEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      style={{ width: '100%', height: `${height}px`, display: 'block' }}
      onClick={(event) => onPick?.(...at(event))}
      onMouseMove={(event) => onHover?.(...at(event))}
      onMouseLeave={onLeave}
    />
  );
}
