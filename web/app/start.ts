/**
 * From the address to the page, and back.
 *
 * Owns      the order at the beginning: theme, address, what is open, step, selection; then the address follows the page.
 * Promises  1. Back leads to the view, the file or the lesson before; steps and choices are no places of their own.
 *           2. Where nothing could be opened, the address stays as it came.
 */
import { effect, type Signal, signal } from '@preact/signals';
import { oneAtATime } from '../ui/one_at_a_time.ts';
import { store, stored } from '../ui/storage.ts';
import { listenToKeys } from './keys.ts';
import { connectToServer } from './served.ts';
import { openFile, openNamed } from './sources.ts';
import {
  apart,
  choose,
  engine,
  followSelection,
  keep,
  opened,
  otherChoice,
  pageState,
  program,
  served,
  theme,
} from './state.ts';
import { type PageState, readState, writeState } from './url.ts';

const THEME = 'revmap-theme';
/** On a first visit: a page that was shared until the child wrote to it, and who the walk still asks. */
const FIRST_LOOK = '#view=reverse&beside=spaces&step=7&page=1:0x100000100000';
/** The address is written when the page has been still for so long. */
const STILL_MS = 200;
/** The place that was written last; null: the address came from elsewhere. */
let place: string | null = null;
/** Under way to what the address asks for: until then it stays. */
const isGoing: Signal<boolean> = signal(false);

export async function startPage(): Promise<void> {
  followTheme();
  listenToKeys();
  listenToDrops();
  // It takes the token out of the address, so nobody reads that before.
  const fragment = await joinServer();
  if (fragment !== null) await goTo(fragment);
  followSelection(engine);
  followState();
  tellEngine();
  const follow = oneAtATime(() => goTo(location.hash));
  // Another address, Back, and Forward; what we write ourselves is not told.
  addEventListener('hashchange', () => void follow());
}

/**
 * The state that the address asks for; a new session begins with the first file that the server was given. null: the link does not work,
 * and the page says why instead of showing something else.
 */
async function joinServer(): Promise<string | null> {
  try {
    served.value = await connectToServer();
  } catch (error) {
    engine.error.value = (error as Error).message;
    return null;
  }
  const { hash } = location;
  const hasFiles = (served.value?.files.length ?? 0) > 0;
  if (hash.length >= 2) return hash;
  return hasFiles ? '#open=file:0' : FIRST_LOOK;
}

/** To the state that a fragment describes. What is open already is not opened again. */
async function goTo(fragment: string): Promise<void> {
  isGoing.value = true;
  await reach(readState(fragment));
  place = null;
  isGoing.value = false;
}

async function reach(state: PageState): Promise<void> {
  keep(state);
  otherChoice.value = state.other;
  apart.value = state.otherStep;
  const isOpen =
    engine.facts.value !== null &&
    state.opened === opened.value &&
    (state.opened !== 'program' || state.program === program.value);
  const sameMachine = JSON.stringify(state.choice) === JSON.stringify(engine.choice.value);
  if (!isOpen && !(await openNamed(state.opened, state.program, state.choice))) return;
  if (isOpen && !sameMachine) await engine.rebuild(state.choice);
  if (state.step !== (engine.now.value?.step ?? 0)) await engine.seek(state.step);
  engine.before.value = state.since;
  choose(state.selection);
}

/** For whoever waits for the page: tests, and style sheets. */
function tellEngine(): void {
  effect(() => {
    const isStill = engine.busy.value === null && engine.facts.value !== null;
    document.documentElement.dataset['engine'] = isStill ? 'still' : 'busy';
  });
}

function followState(): void {
  let timer: ReturnType<typeof setTimeout>;
  effect(() => {
    const state = pageState();
    clearTimeout(timer);
    const isNothingOpen = engine.facts.value === null && program.value === '';
    if (isGoing.value || engine.busy.value !== null || isNothingOpen) return;
    timer = setTimeout(() => write(state), STILL_MS);
  });
}

function write(state: PageState): void {
  const at = `${state.view} ${state.opened} ${state.lesson}`;
  const address = `#${writeState(state)}`;
  if (place === null || place === at) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  place = at;
}

function listenToDrops(): void {
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void openFile(file);
  });
}

function followTheme(): void {
  const kept = stored('localStorage', THEME);
  if (kept === 'light' || kept === 'dark') theme.value = kept;
  effect(() => {
    if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
    store('localStorage', THEME, theme.value);
  });
}
