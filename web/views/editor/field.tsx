/**
 * A text field with line numbers, what each line did behind it, and what is wrong below its line.
 *
 * Owns      the layout: the field is as large as its text, and its box scrolls, so numbers, marks and text cannot come apart.
 * Promises  1. It is a plain text area: undo, selection, spell and screen readers work as everywhere, and Tab leaves it.
 *           2. However long the text: only lines that are seen have marks.
 */

import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Fault } from './fault.ts';
import type { Said } from './outcome.ts';

/** In pixels, as in editor.css. */
const LINE = 22;
const PADDING = 6;
/** Lines that are marked above and below what is seen. */
const MORE = 10;

export interface FieldProps {
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** Line that is next on the machine, from 1; null: none, or another text runs. */
  readonly next: number | null;
  /** Lines that are steps: a click goes there. */
  readonly canGo: (line: number) => boolean;
  readonly onGo: (line: number) => void;
  readonly outcomes: ReadonlyMap<number, Said>;
  readonly fault: Fault | null;
  /** Ctrl and Enter; with Shift, to the caret's line. */
  readonly onRun: () => void;
}

export function Field(props: FieldProps) {
  const { field, text, onText, next, canGo, onGo, outcomes, fault, onRun } = props;
  const box = useRef<HTMLDivElement>(null);
  const seen = useSignal({ first: 0, count: 60 });
  const caret = useSignal(0);
  const lines = text.split('\n');
  const look = (): void => {
    const { scrollTop, clientHeight } = box.current!;
    const first = Math.max(0, Math.floor(scrollTop / LINE) - MORE);
    const count = Math.ceil(clientHeight / LINE) + 2 * MORE;
    if (first !== seen.peek().first || count !== seen.peek().count) seen.value = { first, count };
  };
  useLayoutEffect(look, [text]);
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (event.shiftKey) onGo(caretLine(field.current!) + 1);
    else onRun();
  };
  const here = (): void => {
    caret.value = caretLine(field.current!);
  };
  const { first, count } = seen.value;
  const shown = lines.slice(first, first + count).map((line, n) => ({ line, number: first + n + 1 }));
  const wide = lines.reduce((most, line) => Math.max(most, line.length), 0);
  const top = (number: number): string => `${PADDING + (number - 1) * LINE}px`;
  return (
    <div class="editor-box" ref={box} onScroll={look}>
      <div
        class="editor-sheet"
        style={{ height: `${lines.length * LINE + 2 * PADDING}px`, minWidth: `calc(${wide + 4}ch + var(--gutter))` }}
      >
        <div class="editor-marks" aria-hidden="true">
          {next !== null && <div class="band next" style={{ top: top(next) }} />}
          {fault !== null && fault.line > 0 && <div class="band fault" style={{ top: top(fault.line) }} />}
        </div>
        <textarea
          ref={field}
          class="editor-text"
          aria-label="Memory program"
          aria-describedby="editor-help editor-fault"
          aria-invalid={fault !== null}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          wrap="off"
          rows={lines.length}
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
          onKeyDown={keys}
          onKeyUp={here}
          onClick={here}
        />
        <div class="editor-outcomes" aria-hidden="true">
          {shown.map(({ line, number }) => {
            const one = outcomes.get(number);
            if (one === undefined || number === fault?.line) return null;
            const style = { top: top(number), left: `calc(${line.length + 2}ch + var(--gutter))` };
            return (
              <span key={number} class={one.isBad ? 'outcome bad' : 'outcome'} style={style}>
                {one.isBad ? '✗ ' : ''}
                {one.text}
              </span>
            );
          })}
        </div>
        <div class="editor-gutter">
          {shown.map(({ number }) => (
            <button
              type="button"
              key={number}
              tabIndex={-1}
              class={gutterClass(number, next, fault)}
              style={{ top: top(number) }}
              disabled={!canGo(number)}
              aria-label={`Line ${number}: go to the state before it`}
              title={canGo(number) ? 'Go to the state before this line' : undefined}
              onClick={() => onGo(number)}
            >
              <span aria-hidden="true">{number === fault?.line ? '✗' : number === next ? '▶' : ''}</span>
              {number}
            </button>
          ))}
        </div>
        {fault !== null && fault.line > 0 && (
          // Over the line that is being written it would be in the way.
          <p
            class="editor-fault"
            id="editor-fault"
            role="status"
            style={{ top: top(fault.line + (caret.value === fault.line ? -1 : 1)) }}
          >
            {fault.reason}
          </p>
        )}
      </div>
    </div>
  );
}

function gutterClass(line: number, next: number | null, fault: Fault | null): string {
  if (line === fault?.line) return 'number fault';
  return line === next ? 'number next' : 'number';
}

/** From 0. */
export function caretLine({ value, selectionEnd }: HTMLTextAreaElement): number {
  return value.slice(0, selectionEnd).split('\n').length - 1;
}

/** As if it were typed, so that undo takes it back. */
export function typeInto(field: HTMLTextAreaElement, from: number, to: number, text: string): void {
  field.focus();
  field.setSelectionRange(from, to);
  if (document.execCommand('insertText', false, text)) return;
  field.setRangeText(text, from, to, 'end');
  field.dispatchEvent(new Event('input', { bubbles: true }));
}
