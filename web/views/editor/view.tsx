/**
 * An editor for memory programs: it runs while one types, and says at each line what it did.
 *
 * Owns      running, sharing, keeping and beginning a program. The text: draft.ts; its field: field.tsx.
 */
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ViewProps } from '../../app/page.tsx';
import { opened, pageState, program } from '../../app/state.ts';
import { writeState } from '../../app/url.ts';
import { plural } from '../../ui/format.ts';
import { CALL_GROUPS, type CallHelp, DIRECTIVES } from './calls.ts';
import { draft, followProgram, isLive, isTyped, own, runDraft, takeBack, write } from './draft.ts';
import { EXAMPLES } from './examples.ts';
import { sameLines } from './fault.ts';
import { caretLine, Field, typeInto } from './field.tsx';
import { type Said, said } from './outcome.ts';
import { Outcomes } from './outcomes.tsx';
import { Trial, type Tried } from './trial.ts';
import './editor.css';

/** So long nobody has typed. */
const STILL_MS = 300;

export function EditorView({ engine }: ViewProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const trial = useMemo(() => new Trial(), []);
  useEffect(() => () => trial.close(), [trial]);
  useSignalEffect(() => {
    program.value;
    followProgram();
  });
  useSignalEffect(() => {
    const text = draft.value;
    const choice = engine.choice.value;
    const timer = setTimeout(() => trial.run(text, choice), STILL_MS);
    return () => clearTimeout(timer);
  });
  // What was tried and is well runs on the machine that is looked at.
  useSignalEffect(() => {
    const tried = trial.tried.value;
    if (tried === null || tried.fault !== null || !isLive.value || !isTyped.peek()) return;
    if (tried.text === draft.peek() && engine.busy.value === null) void runDraft();
  });

  const text = draft.value;
  const tried = trial.tried.value;
  const fault = tried !== null && tried.text === text ? tried.fault : null;
  const isOpen = opened.value === 'program' && program.value === text;
  const steps = useComputed(() => new Map(trial.tried.value?.lines.map(({ line }, step) => [line, step])));
  const outcomes = useComputed(() => {
    const map = new Map<number, Said>();
    const last = trial.lastRun.value;
    if (last === null) return map;
    // What was written since may change all that follows, and nothing before.
    const same = sameLines(last.text, draft.value);
    for (const { line, outcome } of last.lines) if (outcome !== null && line <= same) map.set(line, said(outcome));
    return map;
  });
  const run = (): void => void runDraft();
  const go = async (line: number): Promise<void> => {
    const step = steps.value.get(line);
    if (step === undefined) return;
    if (!isOpen && !(await runDraft())) return;
    await engine.seek(step);
  };
  const insert = ({ template, name }: CallHelp): void => {
    const area = field.current!;
    if (name.startsWith('%')) {
      const at = /^(%mmp.*\n)?/.exec(area.value)![0].length;
      typeInto(area, at, at, `${template}\n`);
      return;
    }
    const lines = area.value.split('\n');
    const at = lines.slice(0, caretLine(area) + 1).join('\n').length;
    const isEmpty = lines[caretLine(area)] === '';
    typeInto(area, at, at, isEmpty ? template : `\n${template}`);
  };
  const begin = (from: string): void => typeInto(field.current!, 0, field.current!.value.length, from);
  return (
    <div class="editor">
      <div class="editor-bar">
        <button type="button" class="run" onClick={run} title="Ctrl and Enter">
          Run
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={isLive.value}
            onChange={(event) => (isLive.value = event.currentTarget.checked)}
          />{' '}
          run while I type
        </label>
        <Begin onBegin={begin} />
        {own.value !== null && own.value !== text && (
          <button type="button" title="What you wrote before this program was opened" onClick={takeBack}>
            Back to your program
          </button>
        )}
        <Share engine={engine} />
        <button type="button" onClick={() => download(text)}>
          Download .mmp
        </button>
      </div>
      <p class="editor-state" role="status">
        {tried === null ? 'Trying it …' : stateOf(tried, outcomes.value)}
        {tried?.text === text &&
          !isOpen &&
          ` The views show another program${fault === null ? ': press Run.' : ' meanwhile.'}`}
      </p>
      {fault !== null && fault.line === 0 && (
        <p class="wrong" id="editor-fault" role="status">
          {fault.reason}
        </p>
      )}
      <div class="editor-main">
        <Field
          field={field}
          text={text}
          onText={write}
          next={isOpen ? (engine.now.value?.line ?? null) : null}
          canGo={(line) => steps.value.has(line)}
          onGo={(line) => void go(line)}
          outcomes={outcomes.value}
          fault={fault}
          onRun={run}
        />
        <p id="editor-help" class="editor-help">
          <kbd>Ctrl</kbd> <kbd>Enter</kbd> runs, with <kbd>Shift</kbd> only to the line of the caret. A number at the
          left goes to the state before its line. <kbd>Tab</kbd> leaves the field.
        </p>
        <Outcomes text={text} outcomes={outcomes.value} onGo={(line) => void go(line)} />
      </div>
      <Calls onInsert={insert} />
    </div>
  );
}

function stateOf({ fault, lines }: Tried, outcomes: ReadonlyMap<number, Said>): string {
  if (fault !== null) return 'This is no program yet.';
  const bad = [...outcomes.values()].filter(({ isBad }) => isBad).length;
  return `${plural(lines.length, 'step')}${bad === 0 ? '.' : `, ${bad} refused or broken off.`}`;
}

function Begin({ onBegin }: { onBegin: (text: string) => void }) {
  const chosen = useSignal(0);
  const groups = [...new Set(EXAMPLES.map(({ group }) => group))];
  return (
    <span class="editor-begin">
      <label>
        <span class="said">Example</span>
        <select value={chosen.value} onChange={(event) => (chosen.value = Number(event.currentTarget.value))}>
          {groups.map((group) => (
            <optgroup key={group} label={group}>
              {EXAMPLES.map((example, n) =>
                example.group === group ? (
                  <option key={example.says} value={n}>
                    {example.says}
                  </option>
                ) : null,
              )}
            </optgroup>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => onBegin(EXAMPLES[chosen.value]!.text)}>
        Begin from it
      </button>
    </span>
  );
}

/** A link that opens the page as it is now, with the text as it stands here. */
function Share({ engine }: ViewProps) {
  const link = useSignal<string | null>(null);
  const isCopied = useSignal(false);
  // Another text, another link.
  const text = draft.value;
  useEffect(() => {
    link.value = null;
  }, [text]);
  const copy = async (): Promise<void> => {
    const isSame = program.value === text;
    const step = isSame ? (engine.now.value?.step ?? 0) : 0;
    const state = writeState({ ...pageState(), opened: 'program', program: text, step });
    link.value = `${location.origin === 'null' ? location.href.replace(/#.*/, '') : location.origin + location.pathname}#${state}`;
    try {
      await navigator.clipboard.writeText(link.value);
      isCopied.value = true;
    } catch {
      // Not on every page may one write there: the link stands in a field.
      isCopied.value = false;
    }
  };
  return (
    <span class="editor-share">
      <button type="button" onClick={() => void copy()}>
        Copy link
      </button>
      <span class="editor-copied" role="status">
        {link.value === null ? '' : isCopied.value ? 'Copied.' : 'Copy it from here:'}
      </span>
      {link.value !== null && (
        <input readOnly aria-label="Link" value={link.value} onFocus={(event) => event.currentTarget.select()} />
      )}
    </span>
  );
}

function Calls({ onInsert }: { onInsert: (call: CallHelp) => void }) {
  return (
    <section class="editor-calls" aria-label="Calls">
      <h2>Put in a call</h2>
      <p>
        It comes below the line of the caret. The number before a call is the process that makes it; the first is 1.
        Addresses lie between <code>0x100000000000</code> and <code>0x200000000000</code>; a page has 4096 bytes.
      </p>
      {[...CALL_GROUPS, { name: 'At the top', calls: DIRECTIVES }].map(({ name, calls }, n) => (
        <details key={name} open={n < 2}>
          <summary>{name}</summary>
          <ul>
            {calls.map((call) => (
              <li key={call.name}>
                <button type="button" title={call.template} onClick={() => onInsert(call)}>
                  {call.name}
                </button>{' '}
                {call.says}
                <code>{call.signature}</code>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </section>
  );
}

function download(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'program.mmp';
  link.click();
  URL.revokeObjectURL(url);
}
