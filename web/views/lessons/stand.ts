/**
 * Sets the page as a part of a lesson wants it: program, machine, step, choice, and the view beside.
 *
 * Promises  Of several wishes the last is fulfilled; one that is under way is not broken off in a move of the machine.
 */
import { MACHINE_CHOICE, type MachineChoice } from '../../../src/view/choice.ts';
import type { PageName } from '../../../src/view/lessons_ask.ts';
import type { Engine } from '../../app/engine.ts';
import { openText } from '../../app/sources.ts';
import { beside, opened, program, selectFrame, selectNothing, selectPage, view } from '../../app/state.ts';
import type { ViewId } from '../../app/views.ts';
import type { Stand } from '../../lessons/lesson.ts';
import { lendDraft } from '../editor/draft.ts';

let wishes = 0;

export async function setStand(engine: Engine, stand: Stand, select: PageName | null, next: ViewId): Promise<void> {
  const mine = ++wishes;
  showBeside(next);
  lendDraft(stand.program);
  await still(engine);
  if (mine === wishes && !isProgramOf(engine, stand)) await openText(stand.program, choiceOf(stand));
  await still(engine);
  if (mine !== wishes) return;
  const step = Math.min(stand.step, engine.now.value?.length ?? 0);
  if (step !== engine.now.value?.step) await engine.seek(step);
  if (mine === wishes) await choosePage(engine, select);
}

/** The other of the two places is the view's, on whichever side the lesson stands. */
export function showBeside(id: ViewId): void {
  if (view.value === 'lessons') beside.value = id;
  else view.value = id;
}

export function shownBeside(): ViewId | null {
  return view.value === 'lessons' ? beside.value : view.value;
}

export async function choosePage(engine: Engine, name: PageName | null): Promise<void> {
  if (name === null) {
    selectNothing();
    return;
  }
  const [of, at] = name;
  if (typeof of === 'number') {
    selectPage(of, at);
    return;
  }
  const [pfn] = await engine.ask('lessonFacts', [{ of: 'page', page: name, word: 'pfn' }]);
  if (typeof pfn === 'number') selectFrame(engine, pfn);
}

export function choiceOf({ kernel, memory }: Stand): MachineChoice {
  return { ...MACHINE_CHOICE, kernel, programRamBytes: memory ?? null };
}

function isProgramOf(engine: Engine, stand: Stand): boolean {
  const isOpen = engine.facts.value !== null && opened.value === 'program' && program.value === stand.program;
  return isOpen && JSON.stringify(engine.choice.value) === JSON.stringify(choiceOf(stand));
}

/** Does the page stand there? */
export function standsAt(engine: Engine, stand: Stand): boolean {
  const now = engine.now.value;
  if (now === null || !isProgramOf(engine, stand)) return false;
  return now.step === Math.min(stand.step, now.length ?? 0);
}

/** Until the engine has made its move. */
function still(engine: Engine): Promise<void> {
  if (engine.busy.peek() === null) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = engine.busy.subscribe((busy) => {
      if (busy !== null) return;
      queueMicrotask(() => stop());
      resolve();
    });
  });
}
