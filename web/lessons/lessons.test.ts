/** Every lesson, on the engine: what it says, what it asks, and its own solution. */
import { describe, expect, test } from 'vitest';
import { parseMmp } from '../../src/syscalls/mmp.ts';
import { MACHINE_CHOICE } from '../../src/view/choice.ts';
import { frameOf, lessonFacts } from '../../src/view/lessons_ask.ts';
import { checkLesson, type LessonInput } from '../../src/view/lessons_checks.ts';
import { begin } from '../../src/view/open.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import type { MachineSubject } from '../../src/view/subject.ts';
import { programLines } from '../views/lessons/lines.ts';
import { LESSONS } from './index.ts';
import { END, type Lesson, MIB, type Stand } from './lesson.ts';

/** One machine for each program, kernel and size: parts of a lesson go back and forth on it, as the page does. */
const machines = new Map<string, MachineSubject>();

function subjectAt({ program, kernel, memory, step }: Stand): MachineSubject {
  const key = `${kernel} ${memory} ${program}`;
  const subject = machines.get(key) ?? newSubject(program, kernel, memory);
  machines.set(key, subject);
  subject.timeline.seek(step);
  return subject;
}

function newSubject(program: string, kernel: string, memory: number | undefined): MachineSubject {
  const choice = { ...MACHINE_CHOICE, kernel, programRamBytes: memory ?? null };
  return begin({ kind: 'program', name: 'lesson.mmp', text: program }, choice) as MachineSubject;
}

/** What the reader types and chooses for the solution. */
function answer(lesson: Lesson, subject: MachineSubject): LessonInput {
  const { numbers = [], page } = lesson.question.solution;
  if (page === undefined) return { numbers, selection: NOTHING };
  const pfn = frameOf(subject, page);
  const [of, at] = page;
  const selection: Selection =
    typeof of === 'number' ? { by: 'page', pfn, pid: of, address: at } : { by: 'frame', pfn, pid: null, address: null };
  return { numbers, selection };
}

/** Names of things have numbers, too, and years: those are no claims about a machine. */
const NAMES =
  /`[^`]*`|\{\d+\}|\b\d\.\d+(\.\d+)?\b|\b[26]\.x\b|\b20\d\d\b|\b([Pp]ages?|[Pp]rocess(es)?|[Ll]esson|numbers) \d+(( and | to | to page )\d+)?/g;

test('there are ten lessons of four to seven parts each, with a question', () => {
  expect(LESSONS.length).toBe(10);
  for (const { title, parts } of LESSONS) {
    // The question is a part, too.
    expect(parts.length + 1, title).toBeGreaterThanOrEqual(4);
    expect(parts.length + 1, title).toBeLessThanOrEqual(7);
  }
});

describe.each(LESSONS.map((lesson, n) => [n + 1, lesson.title, lesson] as const))(
  'lesson %i, %s',
  (number, _title, lesson) => {
    test.each(lesson.parts.map((part) => [part.title, part] as const))('what it says holds: %s', (_name, part) => {
      const subject = subjectAt(part.stand);
      expect(subject.timeline.step, 'the step exists').toBe(part.stand.step);
      expect(subject.living.length).toBeGreaterThan(0);
      const { select } = part;
      if (typeof select?.[0] === 'string') expect(frameOf(subject, select), 'what it chooses is there').not.toBeNull();
      else if (select !== null) expect(subject.living.map(({ pid }) => pid)).toContain(select[0]);
      const told = lessonFacts(
        subject,
        part.facts.map(({ ask }) => ask),
      );
      expect(part.facts.map(({ says }, n) => [says, told[n]])).toEqual(
        part.facts.map(({ says, want }) => [says, want]),
      );
    });

    test('a number in its text is one that the engine was asked for', () => {
      for (const { title, text, facts, stand } of lesson.parts) {
        for (const paragraph of text) {
          const size = stand.memory === undefined ? '' : `${stand.memory / MIB} MiB`;
          const rest = paragraph.replace(NAMES, '').replace(size, '');
          expect(rest.match(/\d+/g) ?? [], `${title}: ${paragraph}`).toEqual([]);
          for (const [, place] of paragraph.matchAll(/\{(\d+)\}/g))
            expect(facts[Number(place)], paragraph).toBeDefined();
        }
      }
    });

    test('its programs run without a refusal, and the page counts their steps as the engine does', () => {
      const stands = [...lesson.parts.map(({ stand }) => stand), lesson.question.stand];
      for (const text of new Set(stands.map(({ program }) => program))) {
        const steps = programLines(text).filter(({ step }) => step !== null);
        expect(steps.map(({ text: line }) => line)).toEqual(
          parseMmp(text, 'lesson.mmp').steps.map((step) => (step === 'snapshot' ? 'snapshot' : step.text)),
        );
      }
      for (const { program, kernel, memory } of stands) {
        const { player } = subjectAt({
          program,
          kernel,
          ...(memory === undefined ? {} : { memory }),
          step: END,
        }).timeline;
        const results = (player as unknown as { results: ({ err?: string; sig?: string; skipped?: boolean } | null)[] })
          .results;
        expect(results.filter((one) => one?.err ?? one?.sig ?? one?.skipped)).toEqual([]);
      }
    });

    test('where the question begins is no answer, and its solution is one', () => {
      const { question } = lesson;
      const start = subjectAt(question.stand);
      const empty: LessonInput = { numbers: question.fields.map(() => null), selection: NOTHING };
      expect(checkLesson(start, number, empty)).toMatchObject({ right: false });
      const solved = subjectAt({ ...question.stand, ...question.solution.stand });
      const input = answer(lesson, solved);
      expect(checkLesson(solved, number, input)).toMatchObject({ right: true });
    });
  },
);

/** Answers that are nearly right, by lesson. */
const NEARLY: readonly {
  why: string;
  lesson: number;
  stand?: Partial<Stand>;
  lines?: string;
  input?: Partial<LessonInput>;
  says: RegExp;
}[] = [
  { why: 'the page of notes alone', lesson: 1, lines: '1 mlock(0x100002000000, 4096)', says: /dirty still/ },
  {
    why: 'book is unmapped',
    lesson: 1,
    lines: '1 mlock(0x100002000000, 4096)\n1 munmap(0x100001000000, 4096)',
    says: /not mapped/,
  },
  { why: 'a fork too many', lesson: 2, lines: '1 fork() = 3\n1 fork() = 4', says: /4 times/ },
  { why: 'not run', lesson: 4, stand: { step: 1 }, says: /to its end/ },
  { why: 'one page too many', lesson: 4, lines: '2 store(0x100000000000, 20480, 2)', says: /3 frames/ },
  { why: 'the child has ended', lesson: 4, lines: '2 exit_group(0)', says: /live/ },
  {
    why: 'the right address of another process',
    lesson: 3,
    input: { selection: { by: 'page', pfn: null, pid: 1, address: 0x1000_0030_7000 } },
    says: /process 1/,
  },
  {
    why: 'the page before',
    lesson: 3,
    input: { selection: { by: 'page', pfn: null, pid: 2, address: 0x1000_0030_6000 } },
    says: /page 8/,
  },
  { why: 'the numbers in the wrong order', lesson: 5, input: { numbers: [1, 9] }, says: /first number/ },
  { why: 'the old number for both', lesson: 5, input: { numbers: [9, 9] }, says: /second number/ },
  { why: 'locked', lesson: 7, lines: '1 load(0x100000000000, 4096)\n1 mlock(0x100000000000, 4096)', says: /Locked/ },
  { why: 'read again at the end', lesson: 7, lines: '1 load(0x100000000000, 131072)', says: /came back/ },
  { why: 'one reader', lesson: 8, lines: '1 fork() = 2\n1 load(0x100000000000)', says: /once/ },
  {
    why: 'a writer',
    lesson: 8,
    lines: '1 fork() = 2\n1 load(0x100000000000)\n2 load(0x100000000000)\n2 store(0x100000000000)',
    says: /once/,
  },
  { why: 'one region each', lesson: 9, input: { numbers: [1, 1] }, says: /6\.18/ },
  { why: 'more than is needed', lesson: 10, stand: { memory: 5 * MIB }, says: /less memory/ },
  { why: 'another kernel', lesson: 10, stand: { kernel: '6.18' }, says: /2\.4\.19/ },
];

test.each(NEARLY)('nearly right in lesson $lesson: $why', ({ lesson, stand, lines, input, says }) => {
  const { question } = LESSONS[lesson - 1]!;
  const program = lines === undefined ? question.stand.program : `${question.stand.program}${lines}\n`;
  const subject = subjectAt({ ...question.stand, program, ...(lesson === 3 ? { step: END } : {}), ...stand });
  const verdict = checkLesson(subject, lesson, { numbers: [], selection: NOTHING, ...input });
  expect(verdict).toMatchObject({ right: false, says: expect.stringMatching(says) });
});

test('in lesson 6 a frame of another list, and one that is not the last, are told apart', () => {
  const { stand } = LESSONS[5]!.question;
  const subject = subjectAt(stand);
  const verdict = (file: string, index: number) => {
    const selection: Selection = { by: 'frame', pfn: frameOf(subject, [file, index]), pid: null, address: null };
    return checkLesson(subject, 6, { numbers: [], selection }).says;
  };
  expect(verdict('once', 0)).toContain('not on inactive_file');
  expect(verdict('once', 2)).toContain('nearer to the tail');
});
