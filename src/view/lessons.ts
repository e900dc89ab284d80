/** What the lessons ask: values that their texts name, and whether the reader's answer is one. */
import { lessonFacts } from './lessons_ask.ts';
import { checkLesson } from './lessons_checks.ts';

export const lessonsQueries = { lessonFacts, checkLesson } as const;
