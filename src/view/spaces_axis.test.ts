import { expect, test } from 'vitest';
import { cellOfPage, type Extent, layAxis, pageOfCell, pieceAt } from './spaces_axis.ts';

const at = (startPage: number, pages: number): Extent => ({ startPage, endPage: startPage + pages });

test('small regions have a cell for each page, and what nobody maps is a gap', () => {
  const { pieces, cells, lines } = layAxis([[at(100, 8), at(5000, 4)], [at(104, 4)]], 1000);
  expect(lines).toBe(1);
  expect(cells).toBe(12);
  expect(pieces.map(({ startPage, endPage, cells: n }) => [startPage, endPage, n])).toEqual([
    [100, 104, 4],
    [104, 108, 4],
    [108, 5000, 0],
    [5000, 5004, 4],
  ]);
});

test('very many regions stand close together, on few lines', () => {
  const vmas = Array.from({ length: 800 }, (_, i) => at(1000 + 5000 * i, 64 + (i % 7) * 300));
  expect(layAxis([vmas], 1000).lines).toBeLessThan(30);
  expect(layAxis([vmas.slice(0, 4)], 1000).pieces[0]!.cells).toBe(64);
});

test('nothing at all is an axis without lines', () =>
  expect(layAxis([[]], 800)).toEqual({ lines: 0, cells: 0, pieces: [] }));

test('whatever the regions: in order, within the width, and each page in the cell that says so', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 60; round++) {
    const width = 200 + random(1200);
    const vmas: Extent[] = [];
    let page = random(2 ** 30);
    for (let i = 0; i < 1 + random(80); i++) {
      page += random(3) === 0 ? 0 : random(2 ** random(24));
      const vma = at(page, 1 + random(2 ** random(22)));
      vmas.push(vma);
      page = vma.endPage;
    }
    const { pieces } = layAxis([vmas], width);
    pieces.forEach((piece, i) => {
      const before = pieces[i - 1];
      if (before !== undefined) expect(piece.startPage).toBe(before.endPage);
      expect(piece.x + piece.width).toBeLessThanOrEqual(width);
      if (piece.cells === 0) return;
      const some = piece.startPage + random(piece.endPage - piece.startPage);
      const cell = cellOfPage(piece, some);
      expect(pageOfCell(piece, cell)).toBeLessThanOrEqual(some);
      expect(pageOfCell(piece, cell + 1)).toBeGreaterThan(some);
      expect(pieceAt(pieces, some)).toBe(piece);
    });
    expect(pieceAt(pieces, pieces[0]!.startPage - 1)).toBe(null);
  }
});
