/**
 * The state of the page in its address, behind the #: a link shows what its sender saw.
 *
 * Owns      the names there. What is as usual is left out, but for the view: an address that says nothing is that of a first visit.
 * Promises  1. What a link says and cannot be is left out, never guessed at.
 *           2. The text of a program travels in the link, packed; no server sees it.
 */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import { parseSize } from '../../src/lab/options.ts';
import { KERNELS, MACHINE_CHOICE, type MachineChoice } from '../../src/view/choice.ts';
import { COLOURINGS, type Colouring } from '../../src/view/frames_legend.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import { VIEWS, type ViewId } from './views.ts';

export interface PageState {
  view: ViewId;
  beside: ViewId | null;
  lesson: number;
  colouring: Colouring;
  part: number;
  opened: string;
  program: string;
  step: number;
  choice: MachineChoice;
  selection: Selection;
  /** The second machine of Compare, and the view that is shown of both. */
  other: MachineChoice | null;
  pair: ViewId | null;
}

export const FIRST_STATE: PageState = {
  view: 'frames',
  beside: null,
  lesson: 0,
  colouring: 'owner',
  part: 0,
  opened: '',
  program: '',
  step: 0,
  choice: MACHINE_CHOICE,
  selection: NOTHING,
  other: null,
  pair: null,
};

/** Before the names of the second machine. */
const OTHER = 'b.';
/** A program of this many bytes is longer than any that fits a link. */
const MOST_PROGRAM_BYTES = 1 << 20;

export function writeState(state: PageState): string {
  const { choice, selection } = state;
  const words = new URLSearchParams();
  const put = (name: string, value: string, usual: string): void => {
    if (value !== usual) words.set(name, value);
  };
  words.set('view', state.view);
  put('beside', state.beside ?? '', '');
  put('lesson', String(state.lesson), '0');
  put('colour', state.colouring, FIRST_STATE.colouring);
  put('part', String(state.part), '0');
  put('open', state.opened, '');
  if (state.opened === 'program') put('program', packText(state.program), '');
  putChoice(put, choice);
  put('step', String(state.step), '0');
  if (selection.by === 'frame' && selection.pfn !== null) put('frame', String(selection.pfn), '');
  if (selection.by === 'page' && selection.pid !== null) {
    const at = selection.address === null ? '' : `:0x${selection.address.toString(16)}`;
    put('page', `${selection.pid}${at}`, '');
  }
  if (state.other !== null) {
    putChoice((name, value, usual) => put(`${OTHER}${name}`, value, name === 'kernel' ? '' : usual), state.other);
  }
  put('pair', state.pair ?? '', '');
  return words.toString();
}

function putChoice(put: (name: string, value: string, usual: string) => void, choice: MachineChoice): void {
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
  const viewNamed = (name: string): ViewId | null => VIEWS.find(({ id }) => id === name)?.id ?? null;
  const packed = word('program');
  const text = packed === '' ? '' : unpackText(packed);
  return {
    view: viewNamed(word('view')) ?? FIRST_STATE.view,
    beside: viewNamed(word('beside')),
    lesson: wholeIn(word('lesson'), 0, 10) ?? 0,
    opened: /^(program|live|example:[a-z]{1,16}|file:\d{1,3})$/.test(word('open')) ? word('open') : '',
    colouring: COLOURINGS.find(({ id }) => id === word('colour'))?.id ?? FIRST_STATE.colouring,
    part: wholeIn(word('part'), 0, 20) ?? 0,
    program: text ?? '',
    step: wholeIn(word('step'), 0, 2 ** 40) ?? 0,
    choice: choiceIn(word),
    selection: selectionIn(word('frame'), word('page')),
    other: word(`${OTHER}kernel`) === '' ? null : choiceIn((name) => word(`${OTHER}${name}`)),
    pair: viewNamed(word('pair')),
  };
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

function wholeIn(text: string, least: number, most: number): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
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
  try {
    const bytes = strToU8(atob(packed.replaceAll('-', '+').replaceAll('_', '/')), true);
    // What does not fit is cut off without a word.
    const text = inflateSync(bytes, { out: new Uint8Array(MOST_PROGRAM_BYTES + 1) });
    return text.length > MOST_PROGRAM_BYTES ? null : strFromU8(text);
  } catch {
    return null;
  }
}
