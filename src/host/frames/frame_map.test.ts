/** The picture: each frame in one cell, each cell what most of it is, and no more lines than asked for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyFrames, anyZones, hostOfFrames } from '../../../test/host/made_up_frames.ts';
import { FRAME_KINDS } from './frame_kinds.ts';
import { foldLines, mapFrames } from './frame_map.ts';
import { frameKinds } from './frames.ts';

test('mapFrames: a cell has the kind that most of its frames have', () => {
  fc.assert(
    fc.property(
      anyFrames,
      anyZones,
      fc.constantFrom(16, 64),
      fc.integer({ min: 4, max: 40 }),
      (frames, zones, columns, lines) => {
        const kinds = frameKinds(hostOfFrames(frames, zones))!;
        const { framesPerCell: each, zones: drawn } = mapFrames(kinds, null, columns, lines);
        const shown = kinds.spans.filter(({ zone }) => zone >= 0 || kinds.spans.length === 1);
        expect(drawn.length).toBe(shown.length);
        drawn.forEach(({ firstPfn, cells }, row) => {
          const { first, end } = shown[row]!;
          expect(firstPfn).toBe(first - (first % each));
          expect(cells.length).toBe(Math.ceil(end / each) - Math.floor(first / each));
          cells.forEach(({ kind, share }, cell) => {
            const counts = new Map<string, number>();
            const from = Math.max(first, firstPfn + cell * each);
            for (let pfn = from; pfn < Math.min(end, firstPfn + (cell + 1) * each); pfn++) {
              const { kind: of } = FRAME_KINDS[kinds.kind[pfn]!]!;
              if (of !== 'hole') counts.set(of, (counts.get(of) ?? 0) + 1);
            }
            const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
            const most = Math.max(0, ...counts.values());
            expect(kind === null ? 0 : counts.get(kind)).toBe(most);
            if (total > 0) expect(share).toBeCloseTo(most / total);
          });
        });
        const height = drawn.reduce((sum, { cells }) => sum + foldLines(cells, columns).length, 0);
        // Each zone needs a line, whatever was asked for.
        expect(height).toBeLessThanOrEqual(Math.max(lines, drawn.length));
      },
    ),
  );
});

test('foldLines: lines that are all alike are one, and say how many more', () => {
  const cells = (text: string) =>
    [...text].map((mark) => ({
      kind: mark === ' ' ? null : (FRAME_KINDS.find((facts) => facts.mark === mark)?.kind ?? 'free'),
      share: mark === ':' ? 0.5 : 1,
    }));
  const folded = foldLines(cells('····' + '····' + '::::' + 'aaaa' + 'aaaa' + 'aaaa' + 'aaab' + 'SS'), 4);
  expect(folded.map(({ at, same }) => [at, same])).toEqual([
    [0, 1],
    [8, 0],
    [12, 2],
    [24, 0],
    [28, 0],
  ]);
});

test('mapFrames: only chosen frames are in it', () => {
  const kinds = frameKinds(hostOfFrames(Array.from({ length: 8 }, (_, pfn) => ({ word: pfn < 6 ? 0x400n : 0x80n }))))!;
  const { zones } = mapFrames(kinds, Uint8Array.of(0, 0, 0, 0, 0, 1, 1, 1), 16, 4);
  expect(zones[0]!.cells.map(({ kind }) => kind)).toEqual([null, null, null, null, null, 'free', 'slab', 'slab']);
});
