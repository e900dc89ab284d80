/** The drawings of the lessons, by name; web/views/lessons/drawings.tsx draws them. */
export const DRAWINGS = [
  'mapping-word',
  'formula',
  'chains',
  'flat-list',
  'five-lists',
  'second-chance',
  'swap-entry',
] as const;
export type DrawingId = (typeof DRAWINGS)[number];
