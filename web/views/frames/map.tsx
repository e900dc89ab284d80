/**
 * The picture of all frames: zoom, pan, a cursor for the keyboard, a ring around the chosen frame.
 *
 * Owns      the camera, which the address follows, and the cursor. Colours and what is lit come from the view.
 * Promises  1. Whatever the mouse does the keyboard does: arrows move the cursor, Enter chooses, z and x zoom, c goes to the choice.
 *           2. A new answer draws pixels and changes nothing else.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { FramesAnswer } from '../../../src/view/frames_colourings.ts';
import type { ZoneFacts } from '../../../src/view/frames_zones.ts';
import { kept } from '../../app/state.ts';
import { colours } from '../../ui/palette.ts';
import {
  type Camera,
  cameraNear,
  centred,
  clamped,
  frameAt,
  frameBeside,
  heightOf,
  layoutOf,
  nearOf,
  SCALES,
  scaleOf,
  showing,
  topOf,
  zoomed,
} from './layout.ts';
import { FramePainter, paletteOf } from './painter.ts';

export interface MapProps {
  readonly answer: FramesAnswer;
  /** What it shows, in a sentence. */
  readonly label: string;
  /** 1: shown in full; null: all are. */
  readonly lit: Uint8Array | null;
  readonly zones: readonly ZoneFacts[];
  readonly chosen: number | null;
  /** In pixels. */
  readonly mostHeight: number;
  readonly onChoose: (pfn: number) => void;
  /** The frame below the pointer or the cursor; null: none. */
  readonly onLook: (pfn: number | null, by: 'pointer' | 'keyboard') => void;
  /** Given once: what the view's buttons and keys do. */
  readonly controls: (controls: MapControls) => void;
}

export interface MapControls {
  readonly zoom: (by: number) => void;
  readonly centre: () => void;
  readonly whole: () => void;
}

/** An application is operated by keys, so it takes the focus. */
const FOCUSABLE = { tabIndex: 0 };
/** Fingers that move less than this choose. */
const STILL_PX = 4;
/** Two fingers that part by this factor zoom by one step. */
const PINCH = 1.3;

const { near } = kept;

export function FrameMap(props: MapProps) {
  const { answer, label, lit, zones, chosen, mostHeight, onChoose, onLook, controls } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<FramePainter | null>(null);
  const width = useSignal(0);
  const camera = useSignal<Camera>({ zoom: 0, x: 0, y: 0 });
  const cursor = useSignal<number | null>(null);
  const isFocused = useSignal(false);
  const colour = colours.value;
  const layout = layoutOf(answer.zones, width.value, mostHeight);
  /** What the camera looks at. Where the address says otherwise (a link, the other picture in Compare), that counts. */
  const own = useRef<typeof near.value>(null);
  const isOwn = near.value === own.current;
  const here = isOwn
    ? clamped(layout, camera.value, width.value, mostHeight)
    : cameraNear(layout, near.value, width.value, mostHeight);
  const height = heightOf(layout, here, mostHeight);
  /** What listeners that were set once see. */
  const now = useRef({ layout, here, chosen, width: 0, height });
  now.current = { layout, here, chosen, width: width.value, height };

  const look = (next: Camera): void => {
    const { layout: all, width: wide } = now.current;
    camera.value = clamped(all, next, wide, mostHeight);
    own.current = nearOf(all, camera.value, wide, heightOf(all, camera.value, mostHeight));
    near.value = own.current;
  };
  const zoom = (by: number, x = now.current.width / 2, y = now.current.height / 2): void => {
    look(zoomed(now.current.layout, now.current.here, by, x, y));
  };
  const aim = (): number | null => now.current.chosen ?? cursor.value;
  const centre = (): void => {
    const pfn = aim();
    if (pfn === null) return;
    const closer = { ...now.current.here, zoom: Math.max(now.current.here.zoom, SCALES.indexOf(14)) };
    look(centred(now.current.layout, closer, pfn, now.current.width / 2, mostHeight / 2));
  };
  const moveCursor = (right: number, down: number): void => {
    const { layout: all, here: at, width: wide, height: high } = now.current;
    const from =
      cursor.value ?? now.current.chosen ?? frameAt(all, at, wide / 2, high / 2) ?? all.blocks[0]?.first ?? 0;
    const to = cursor.value === null ? from : frameBeside(all, from, right, down);
    cursor.value = to;
    look(showing(all, at, to, wide, high));
    onLook(to, 'keyboard');
  };

  // The place tells its width, and again when it changes.
  useEffect(() => {
    const element = box.current!;
    // It is told once more when the view is left, and the place is nobody's any more.
    const size = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    size.observe(element);
    controls({
      zoom: (by) => zoom(by),
      centre,
      whole: () => look({ zoom: 0, x: 0, y: 0 }),
    });
    return () => size.disconnect();
  }, []);

  useWheel(box, isFocused, zoom);
  const drag = useDrag(now, look, zoom);

  const shownCursor = isFocused.value ? cursor.value : null;
  useEffect(() => {
    if (width.value === 0) return;
    const frame = requestAnimationFrame(() => {
      const element = canvas.current;
      if (element === null) return;
      const began = performance.now();
      paint(element, (painter.current ??= new FramePainter()), width.value, height, {
        categories: answer.categories,
        palette: paletteOf(answer.legend),
        lit,
        zones,
        layout,
        camera: here,
        chosen,
        cursor: shownCursor,
      });
      performance.measure('frames drawn', { start: began });
    });
    return () => cancelAnimationFrame(frame);
  }, [answer, lit, zones, chosen, shownCursor, width.value, height, here.zoom, here.x, here.y, colour]);

  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => moveCursor(-1, 0),
    ArrowRight: () => moveCursor(1, 0),
    ArrowUp: () => moveCursor(0, -1),
    ArrowDown: () => moveCursor(0, 1),
    PageUp: () => moveCursor(0, -16),
    PageDown: () => moveCursor(0, 16),
    Home: () => moveCursor(Number.NEGATIVE_INFINITY, 0),
    End: () => moveCursor(Number.POSITIVE_INFINITY, 0),
    Enter: () => cursor.value !== null && onChoose(cursor.value),
    z: () => zoomAtCursor(1),
    x: () => zoomAtCursor(-1),
    c: centre,
  };
  const zoomAtCursor = (by: number): void => {
    zoom(by);
    const pfn = cursor.value;
    if (pfn !== null) look(centred(now.current.layout, clampedNow(), pfn, now.current.width / 2, mostHeight / 2));
  };
  const clampedNow = (): Camera => clamped(now.current.layout, camera.value, now.current.width, mostHeight);

  return (
    <div
      ref={box}
      class="frames-map"
      role="application"
      aria-roledescription="picture of frames"
      aria-label="Frames: arrow keys move from frame to frame, Enter chooses, z and x zoom, c goes to the chosen frame"
      {...FOCUSABLE}
      data-keys="own"
      data-columns={layout.columns}
      data-scale={scaleOf(here)}
      data-tops={JSON.stringify(layout.blocks.map(({ first }, n) => [first, topOf(layout, n, here)]))}
      style={{ height: `${height}px` }}
      onFocus={() => {
        isFocused.value = true;
      }}
      onBlur={() => {
        isFocused.value = false;
        onLook(null, 'keyboard');
      }}
      onKeyDown={(event) => pressed(event, keys)}
      {...drag.handlers}
      onPointerLeave={() => onLook(null, 'pointer')}
    >
      <canvas
        ref={canvas}
        role="img"
        aria-label={label}
        onClick={(event) => {
          if (drag.moved()) return;
          const pfn = frameAt(layout, here, event.offsetX, event.offsetY);
          if (pfn === null) return;
          cursor.value = pfn;
          onChoose(pfn);
        }}
        onMouseMove={(event) => onLook(frameAt(layout, here, event.offsetX, event.offsetY), 'pointer')}
      />
    </div>
  );
}

function paint(
  element: HTMLCanvasElement,
  painter: FramePainter,
  width: number,
  height: number,
  picture: Parameters<FramePainter['paint']>[3],
): void {
  const ratio = devicePixelRatio;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (element.width !== wide || element.height !== high) {
    element.width = wide;
    element.height = high;
  }
  const context = element.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  painter.paint(context, width, height, picture);
}

/** A key that is not the picture's is the page's, for all that the picture has the focus. */
function pressed(event: KeyboardEvent, keys: Readonly<Record<string, () => void>>): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const own = keys[event.key];
  if (own !== undefined) {
    event.preventDefault();
    own();
  } else if (event.key.length === 1 || event.key === 'Escape') {
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: event.key, bubbles: true }));
  }
}

/** The wheel scrolls the page, unless the picture has the focus or Ctrl is held (as two fingers on a touchpad say it). */
function useWheel(
  box: { current: HTMLDivElement | null },
  isFocused: { value: boolean },
  zoom: (by: number, x: number, y: number) => void,
): void {
  useEffect(() => {
    const element = box.current!;
    let turned = 0;
    const onWheel = (event: WheelEvent): void => {
      if (!isFocused.value && !event.ctrlKey) return;
      event.preventDefault();
      turned += event.deltaY;
      // A notch of a mouse is about 100; a touchpad sends many small ones.
      const most = event.ctrlKey ? 20 : 60;
      if (Math.abs(turned) < most) return;
      const { left, top } = element.getBoundingClientRect();
      zoom(turned > 0 ? -1 : 1, event.clientX - left, event.clientY - top);
      turned = 0;
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, []);
}

/** One pointer drags, two zoom. */
function useDrag(
  now: { current: { here: Camera } },
  look: (camera: Camera) => void,
  zoom: (by: number, x: number, y: number) => void,
) {
  const state = useRef({ pointers: new Map<number, { x: number; y: number }>(), moved: false, apart: 0 });
  const { pointers } = state.current;
  const apart = (): number => {
    const [a, b] = [...pointers.values()];
    return a === undefined || b === undefined ? 0 : Math.hypot(a.x - b.x, a.y - b.y);
  };
  return {
    /** The last press was a drag. */
    moved: (): boolean => state.current.moved,
    handlers: {
      onPointerDown: (event: PointerEvent) => {
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        state.current.moved = pointers.size > 1;
        state.current.apart = apart();
      },
      onPointerMove: (event: PointerEvent) => {
        const last = pointers.get(event.pointerId);
        if (last === undefined) return;
        const [right, down] = [event.clientX - last.x, event.clientY - last.y];
        if (!state.current.moved && Math.hypot(right, down) < STILL_PX) return;
        state.current.moved = true;
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        if (pointers.size === 1) {
          const { here } = now.current;
          look({ ...here, x: here.x - right, y: here.y - down });
          return;
        }
        const factor = apart() / state.current.apart;
        if (factor < PINCH && factor > 1 / PINCH) return;
        const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
        zoom(factor > 1 ? 1 : -1, event.clientX - left, event.clientY - top);
        state.current.apart = apart();
      },
      onPointerUp: (event: PointerEvent) => {
        pointers.delete(event.pointerId);
      },
      onPointerCancel: (event: PointerEvent) => {
        pointers.delete(event.pointerId);
      },
    },
  };
}
