/**
 * From the address to the page, and back.
 *
 * Owns      the order at the beginning: theme, address, what is open, step, selection; then the address follows the page.
 */
import { effect } from '@preact/signals';
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
import { readState, writeState } from './url.ts';

const THEME = 'revmap-theme';
/** On a first visit: a page that was shared until the child wrote to it, and who the walk still asks. */
const FIRST_LOOK = '#view=reverse&beside=spaces&step=7&page=1:0x100000100000';
/** The address is written when the page has been still for so long. */
const STILL_MS = 200;
/** Ours, or the browser would read what we just wrote. */
let written = '';

export async function startPage(): Promise<void> {
  followTheme();
  listenToKeys();
  listenToDrops();
  // It takes the token out of the address, so nobody reads that before.
  const fragment = await joinServer();
  await goTo(fragment);
  followSelection(engine);
  followState();
  tellEngine();
  addEventListener('hashchange', () => {
    if (location.hash.replace(/^#/, '') !== written) void goTo(location.hash);
  });
}

/** The state that the address asks for; a new session begins with the first file that the server was given. */
async function joinServer(): Promise<string> {
  try {
    served.value = await connectToServer();
  } catch (error) {
    engine.error.value = (error as Error).message;
  }
  const { hash } = location;
  const hasFiles = (served.value?.files.length ?? 0) > 0;
  if (hash.length >= 2) return hash;
  return hasFiles ? '#open=file:0' : FIRST_LOOK;
}

/** To the state that a fragment describes. What is open already is not opened again. */
async function goTo(fragment: string): Promise<void> {
  const state = readState(fragment);
  keep(state);
  otherChoice.value = state.other;
  apart.value = state.otherStep;
  const isOpen =
    engine.facts.value !== null &&
    state.opened === opened.value &&
    (state.opened !== 'program' || state.program === program.value);
  const sameMachine = JSON.stringify(state.choice) === JSON.stringify(engine.choice.value);
  if (!isOpen) await openNamed(state.opened, state.program, state.choice);
  else if (!sameMachine) await engine.rebuild(state.choice);
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
    timer = setTimeout(() => {
      written = writeState(state);
      history.replaceState(null, '', `#${written}`);
    }, STILL_MS);
  });
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
  const kept = readTheme();
  if (kept === 'light' || kept === 'dark') theme.value = kept;
  effect(() => {
    if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
    try {
      localStorage.setItem(THEME, theme.value);
    } catch {
      // A page in a folder may have no storage: the theme lasts as long as the page.
    }
  });
}

function readTheme(): string | null {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null;
  }
}
