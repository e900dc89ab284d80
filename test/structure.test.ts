/** The objects of the reverse mapping, counted: fork trees against closed forms, and areas up to their limit. */
import { expect, test } from 'vitest';
import { SHAPES, shapeProgram } from '../oracle/shapes.ts';
import { engineCounts } from './structure.ts';

for (const kernel of ['6.18', '6.1']) {
  for (const shape of SHAPES) {
    test(`${kernel}: ${shape.name}: ${shape.formula.anonVmas} anon_vmas, ${shape.formula.chains} links`, () => {
      const { text } = shapeProgram(shape, 1);
      expect(engineCounts(text, kernel)).toEqual([shape.want, { anonVmas: 0, chains: 0 }]);
    });
  }
}
