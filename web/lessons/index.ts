/** The ten lessons, in their order. */
import { kinds } from './01_kinds.ts';
import { structPage } from './02_struct_page.ts';
import { filePages } from './03_file_pages.ts';
import { anonRmap } from './04_anon_rmap.ts';
import { chains } from './05_chains.ts';
import { fiveLists } from './06_five_lists.ts';
import { secondChance } from './07_second_chance.ts';
import { swapLesson } from './08_swap.ts';
import { nonlinear } from './09_nonlinear.ts';
import { pressure } from './10_pressure.ts';
import type { Lesson } from './lesson.ts';

export const LESSONS: readonly Lesson[] = [
  kinds,
  structPage,
  filePages,
  anonRmap,
  chains,
  fiveLists,
  secondChance,
  swapLesson,
  nonlinear,
  pressure,
];
