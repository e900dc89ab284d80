import { expect, test } from 'vitest';
import {
  cameraNear,
  centred,
  clamped,
  frameAt,
  frameBeside,
  HEADER,
  heightOf,
  layoutOf,
  nearOf,
  placeOf,
  SCALES,
  showing,
  zoomed,
} from './layout.ts';

const ZONES = [
  { name: 'DMA', first: 0, end: 4096 },
  { name: 'Normal', first: 4096, end: 100_000 },
];

for (const { why, width, height } of [
  { why: 'a wide window', width: 1000, height: 430 },
  { why: 'a telephone', width: 330, height: 300 },
]) {
  const layout = layoutOf(ZONES, width, height);
  const whole = { zoom: layout.fit, x: 0, y: 0 };

  test(`layout: every frame has a cell of its own, and is found there again: ${why}`, () => {
    const scale = SCALES[layout.fit]!;
    for (let pfn = 0; pfn < 100_000; pfn += 131) {
      const { x, y } = placeOf(layout, whole, pfn)!;
      expect(x + scale).toBeLessThanOrEqual(width);
      expect(y + scale).toBeLessThanOrEqual(height);
      expect(frameAt(layout, whole, x + scale / 2, y + scale / 2), `frame ${pfn}`).toBe(pfn);
    }
  });

  test(`layout: nothing is left empty below the frames, whatever the zoom: ${why}`, () => {
    for (let zoom = layout.fit; zoom < SCALES.length; zoom++) {
      const camera = clamped(layout, { zoom, x: 0, y: 1e9 }, width, height);
      const scale = SCALES[zoom]!;
      const end = Math.ceil(placeOf(layout, camera, 99_999)!.y + scale);
      expect(heightOf(layout, camera, height), `a frame is ${scale} pixels`).toBe(end);
      expect(end).toBeLessThanOrEqual(height);
    }
  });

  test(`layout: a zoom keeps the frame that it was about, and the picture never leaves its window: ${why}`, () => {
    const { x, y } = placeOf(layout, whole, 50_000)!;
    let camera = whole;
    while (camera.zoom < SCALES.length - 1) camera = clamped(layout, zoomed(layout, camera, 1, x, y), width, height);
    const at = placeOf(layout, camera, 50_000)!;
    expect(Math.abs(at.x + SCALES.at(-1)! / 2 - x)).toBeLessThanOrEqual(SCALES.at(-1)!);
    expect(clamped(layout, { zoom: 0, x: 1e9, y: 1e9 }, width, height)).toEqual(whole);
    const middle = clamped(layout, centred(layout, camera, 99_999, width / 2, height / 2), width, height);
    const last = placeOf(layout, middle, 99_999)!;
    expect(last.x >= 0 && last.x < width && last.y > HEADER && last.y < height).toBe(true);
    expect(placeOf(layout, showing(layout, camera, 0, width, height), 0)!.y).toBeGreaterThanOrEqual(0);
  });
}

test('layout: what is no frame is none', () => {
  const layout = layoutOf(ZONES, 1000, 430);
  const whole = { zoom: layout.fit, x: 0, y: 0 };
  expect([frameAt(layout, whole, 5, 3), frameAt(layout, whole, 999, 429), placeOf(layout, whole, 100_000)]).toEqual([
    null,
    null,
    null,
  ]);
  expect([frameBeside(layout, 0, -1, 0), frameBeside(layout, 99_999, 0, 1), frameBeside(layout, 5, 2, 0)]).toEqual([
    0, 99_999, 7,
  ]);
});

test('layout: who looks near at a frame is brought there again, by another window, too', () => {
  for (const [width, height] of [
    [900, 430],
    [330, 300],
  ] as const) {
    const layout = layoutOf(ZONES, width, height);
    for (const near of [
      [14, 50_000],
      [20, 30_000],
    ] as const) {
      expect(nearOf(layout, cameraNear(layout, near, width, height), width, height)).toEqual(near);
    }
    expect(nearOf(layout, cameraNear(layout, null, width, height), width, height)).toBeNull();
    // A link may say what is not there.
    for (const near of [
      [99, 50_000],
      [14, 1 << 30],
    ] as const) {
      expect(cameraNear(layout, near, width, height)).toEqual(
        clamped(layout, cameraNear(layout, near, width, height), width, height),
      );
    }
  }
});
