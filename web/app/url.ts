/**
 * The state of the page in its address, behind the #: a link shows what its sender saw.
 *
 * Owns      the names there. What is as usual is left out, but for the view: an address that says nothing is that of a first visit.
 * Promises  1. What a link says and cannot be is left out, never guessed at; but for what it opens, which is said to be damaged.
 *           2. The text of a program travels in the link, packed; no server sees it.
 */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import { parseLimits, parseSize } from '../../src/lab/options.ts';
import { KERNELS, MACHINE_CHOICE, type MachineChoice } from '../../src/view/choice.ts';
import { KIND_NAMES } from '../../src/view/conditions.ts';
import { COLOURINGS } from '../../src/view/frames_legend.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import { SPEEDS, UNITS, untilWord } from './moves.ts';
import { flag, oneOf, someOf, text, type Word, whole, wholeIn, wholePair } from './url_words.ts';
import { VIEWS } from './views.ts';

const VIEW_IDS = VIEWS.map(({ id }) => id);
const COLOURING_IDS = COLOURINGS.map(({ id }) => id);
const VERSIONS = KERNELS.map(({ version }) => version);

/** What is one word each; state.ts has a signal for it. */
const WORDS = {
  view: oneOf('view', VIEW_IDS, 'frames'),
  beside: oneOf('beside', VIEW_IDS, null),
  // the lesson that is open, 0: the list of them; and its part, from 0: behind the last one comes the question
  lesson: whole('lesson', 0, 10, 0),
  part: whole('part', 0, 20, 0),
  // The clock and Time: a kind of event, steps that a press makes, steps a second, a condition, the axis and the zone of the curves
  kind: oneOf('kind', KIND_NAMES, 'major_fault'),
  unit: oneOf('press', UNITS, 1),
  speed: oneOf('speed', SPEEDS, 100),
  until: untilWord,
  axis: oneOf('over', ['clock', 'step'], null),
  curveZone: text('zone', (id) => /^free:\d{1,2}$/.test(id)),
  // Frames
  colouring: oneOf('colour', COLOURING_IDS, 'owner'),
  onlyProcess: flag('only-process', false),
  onlyChanges: flag('only-changes', false),
  // how near one looks, and at which frame in the middle; null: at all of them
  near: wholePair('near'),
  // Address spaces: which marks are not shown
  hidden: someOf('hide', ['sharing', 'young', 'dirty']),
  // Reverse map: a frame, and how many visits of its walk were made; null: all at once
  walk: wholePair('walk'),
  // Lists: which of both, whose, more of each; of swap the first slot that is shown
  listsPart: oneOf('lists', ['queues', 'swap'], 'queues'),
  listsPlace: text('place', (id) => /^\d{1,6}:\d{1,3}$/.test(id)),
  isWide: flag('wide', false),
  firstSlot: whole('slots', 0, 2 ** 40, 0),
  // an area of swap, and a slot of it
  slot: wholePair('slot'),
  // Compare: the view that is shown of both, and what they are run to
  pair: oneOf('pair', VIEW_IDS, null),
  parting: oneOf('parting', ['fault', 'major', 'evict'], 'fault'),
  withSame: flag('same', false),
  // Sizing: its form
  limits: text('limits', (limits) => typeof parseLimits(limits) !== 'string', '8'),
  withAdvice: flag('advice', true),
  withCaches: flag('caches', false),
  // null: as it is usual with that kernel
  withMeasured: flag('measured', null),
  otherKernels: someOf('kernels', VERSIONS),
  // Host: its part; the file that is looked into, by its row
  hostPart: oneOf('host', ['processes', 'memory', 'cgroups', 'files', 'changes'], 'processes'),
  hostFile: whole('file', 0, 2 ** 32, null),
  // its tables: by the head of a column, '': as a table begins; and a word to find
  sort: text('sort', (head) => head.length <= 20),
  isUpwards: flag('up', false),
  find: text('find', (word) => word.length <= 100),
};

type Words = typeof WORDS;
/** What of the page is its own word in the address. */
export type Kept = { -readonly [K in keyof Words]: Words[K] extends Word<infer T> ? T : never };
export const KEPT = Object.keys(WORDS) as (keyof Kept)[];
const WORD_OF: Readonly<Record<keyof Kept, Word<unknown>>> = WORDS;

export interface PageState extends Kept {
  /** null: the link says what is open, and that is damaged. */
  opened: string | null;
  program: string;
  step: number;
  /** The step with which Lists compares it; null: the one before. */
  since: number | null;
  choice: MachineChoice;
  selection: Selection;
  /** The second machine of Compare, and where it stands; null: where the first does. */
  other: MachineChoice | null;
  otherStep: number | null;
}

function keptIn(word: (name: string) => string): Kept {
  const values = KEPT.map((key) => {
    const { name, usual, read } = WORD_OF[key];
    return [key, read(word(name)) ?? usual];
  });
  return Object.fromEntries(values) as Kept;
}

export const FIRST_STATE: PageState = {
  ...keptIn(() => ''),
  opened: '',
  program: '',
  step: 0,
  since: null,
  choice: MACHINE_CHOICE,
  selection: NOTHING,
  other: null,
  otherStep: null,
};

/** Before the names of the second machine. */
const OTHER = 'b.';
/** A program of this many bytes is longer than any that fits a link. */
const MOST_PROGRAM_BYTES = 1 << 20;
const MOST_STEP = 2 ** 40;

export function writeState(state: PageState): string {
  const { choice, selection, since, step } = state;
  const words = new URLSearchParams();
  const put: Put = (name, value, usual) => {
    if (value !== usual) words.set(name, value);
  };
  words.set('view', state.view);
  for (const key of KEPT) {
    const { name, usual, write } = WORD_OF[key];
    put(name, write(state[key]), write(usual));
  }
  put('open', state.opened ?? '', '');
  if (state.opened === 'program') put('program', packText(state.program), '');
  putChoice(put, choice);
  put('step', String(step), '0');
  if (since !== null && since < step - 1) words.set('since', String(since));
  if (selection.by === 'frame' && selection.pfn !== null) put('frame', String(selection.pfn), '');
  if (selection.by === 'page' && selection.pid !== null) {
    const at = selection.address === null ? '' : `:0x${selection.address.toString(16)}`;
    put('page', `${selection.pid}${at}`, '');
  }
  if (state.other !== null) {
    const putOther: Put = (name, value, usual) => put(`${OTHER}${name}`, value, name === 'kernel' ? '' : usual);
    putChoice(putOther, state.other);
    putOther('step', String(state.otherStep ?? ''), '');
  }
  return words.toString();
}

type Put = (name: string, value: string, usual: string) => void;

function putChoice(put: Put, choice: MachineChoice): void {
  put('kernel', choice.kernel, MACHINE_CHOICE.kernel);
  put('limit', sizeWord(choice.limitBytes), '');
  put('ram', sizeWord(choice.ramBytes), sizeWord(MACHINE_CHOICE.ramBytes));
  put('memory', sizeWord(choice.programRamBytes), '');
  put('swap', sizeWord(choice.swapBytes), sizeWord(MACHINE_CHOICE.swapBytes));
  put('device', choice.swapDevice, MACHINE_CHOICE.swapDevice);
  put('swappiness', String(choice.swappiness), String(MACHINE_CHOICE.swappiness));
  put('mglru', choice.mglru ? '1' : '', '');
}

export function readState(fragment: string): PageState {
  const words = new URLSearchParams(fragment.replace(/^#/, ''));
  const word = (name: string): string => words.get(name) ?? '';
  const unpacked = unpackText(word('program'));
  const stepIn = (name: string): number | null => wholeIn(word(name), 0, MOST_STEP);
  const hasOther = word(`${OTHER}kernel`) !== '';
  return {
    ...keptIn(word),
    opened: openedIn(word('open'), unpacked),
    program: unpacked ?? '',
    step: stepIn('step') ?? 0,
    since: stepIn('since'),
    choice: choiceIn(word),
    selection: selectionIn(word('frame'), word('page')),
    other: hasOther ? choiceIn((name) => word(`${OTHER}${name}`)) : null,
    otherStep: hasOther ? stepIn(`${OTHER}step`) : null,
  };
}

function openedIn(name: string, text: string | null): string | null {
  if (name === 'program' || (name === '' && text !== '')) return text === '' || text === null ? null : 'program';
  return name === '' || /^(live|dropped|example:[a-z]{1,16}|file:\d{1,3})$/.test(name) ? name : null;
}

function choiceIn(word: (name: string) => string): MachineChoice {
  const kernel = KERNELS.find(({ version }) => version === word('kernel'));
  const size = (name: string, usual: number): number => parseSize(word(name)) ?? usual;
  return {
    ...MACHINE_CHOICE,
    kernel: kernel?.version ?? MACHINE_CHOICE.kernel,
    limitBytes: parseSize(word('limit')),
    ramBytes: size('ram', MACHINE_CHOICE.ramBytes),
    programRamBytes: parseSize(word('memory')),
    swapBytes: word('swap') === '0' ? 0 : size('swap', MACHINE_CHOICE.swapBytes),
    swapDevice: word('device') === 'disk' ? 'disk' : MACHINE_CHOICE.swapDevice,
    swappiness: wholeIn(word('swappiness'), 0, 200) ?? MACHINE_CHOICE.swappiness,
    mglru: word('mglru') === '1' && (kernel ?? KERNELS[0]).hasMglru,
  };
}

function selectionIn(frame: string, page: string): Selection {
  const pfn = wholeIn(frame, 0, 2 ** 32);
  if (pfn !== null) return { by: 'frame', pfn, pid: null, address: null };
  const match = /^(\d{1,10})(?::0x([0-9a-f]{1,12}))?$/.exec(page);
  if (match === null) return NOTHING;
  return {
    by: 'page',
    pfn: null,
    pid: Number(match[1]),
    address: match[2] === undefined ? null : Number.parseInt(match[2], 16),
  };
}

/** `16M`, or bytes where no unit is exact. */
function sizeWord(bytes: number | null): string {
  if (bytes === null) return '';
  for (const [unit, letter] of [
    [2 ** 30, 'G'],
    [2 ** 20, 'M'],
    [2 ** 10, 'K'],
  ] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${letter}`;
  }
  return String(bytes);
}

export function packText(text: string): string {
  const bytes = deflateSync(strToU8(text), { level: 9 });
  return btoa(strFromU8(bytes, true)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** null: that is no packed text, or too long a one. */
export function unpackText(packed: string): string | null {
  if (packed === '') return '';
  try {
    const bytes = strToU8(atob(packed.replaceAll('-', '+').replaceAll('_', '/')), true);
    // What does not fit is cut off without a word.
    const text = inflateSync(bytes, { out: new Uint8Array(MOST_PROGRAM_BYTES + 1) });
    return text.length > MOST_PROGRAM_BYTES ? null : strFromU8(text);
  } catch {
    return null;
  }
}
