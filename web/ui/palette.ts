/**
 * Colours for canvases, as the style sheet has them at the moment.
 *
 * Owns      the names of the categories' colours (--p0 … --p9 in base.css: Okabe and Ito's, darker on white, lighter on black).
 */
import { type Signal, signal } from '@preact/signals';
import { theme } from '../app/state.ts';

/** Grows when colours are others than before: whoever draws reads it. */
export const colours: Signal<number> = signal(0);

/** `--ink`, `--p3` … as a colour that a canvas takes. */
export function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The same as a number for ImageData: 0xAABBGGRR. */
export function pixelOf(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

const again = (): void => {
  colours.value += 1;
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
// The style sheet has changed when the effect that sets the theme has run: a frame later.
theme.subscribe(() => requestAnimationFrame(again));
