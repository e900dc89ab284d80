/**
 * The head of the page: what is open, on which machine, and how the page looks.
 *
 * Owns      opening (file, example) and the form of the machine.
 */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { formatSize, parseSize } from '../../src/lab/options.ts';
import { KERNELS, type MachineChoice } from '../../src/view/choice.ts';
import { FIRST_PROGRAM } from './first_program.ts';
import { showKeys } from './key_list.tsx';
import { useKeys } from './keys.ts';
import { EXAMPLES, openExample, openFile, openLive, openServed, openText } from './sources.ts';
import { engine, served, type Theme, theme } from './state.ts';

const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

export function Head() {
  const facts = engine.facts.value;
  useKeys('Page', [{ key: 't', says: 'light, dark, as the system', run: nextTheme }]);
  return (
    <header class="head">
      <h1>revmap</h1>
      <OpenMenu />
      {facts !== null && (
        <p class="what">
          <strong>{facts.name}</strong>{' '}
          <span>
            {facts.kind === 'host' ? '' : 'on '}Linux {facts.kernel}
            {facts.mglru ? ', MGLRU' : ''}
          </span>
        </p>
      )}
      {facts !== null && facts.kind !== 'host' && <MachineForm />}
      <span class="space" />
      <button
        type="button"
        aria-label={`Theme: ${theme.value}`}
        title="Light, dark, or as the system"
        onClick={nextTheme}
      >
        <span class="word">Theme: </span>
        {theme.value}
      </button>
      <button type="button" aria-label="Keys ?" onClick={showKeys}>
        <span class="word">Keys </span>
        <kbd>?</kbd>
      </button>
    </header>
  );
}

function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
}

function OpenMenu() {
  const input = useRef<HTMLInputElement>(null);
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (menu.current !== null) menu.current.open = false;
  };
  return (
    <details class="menu" ref={menu}>
      <summary>Open</summary>
      <div class="menu-body">
        <button type="button" onClick={() => input.current?.click()}>
          A file: recording, memory program or snapshot …
        </button>
        <input
          ref={input}
          type="file"
          hidden
          aria-label="File"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) void openFile(file).then(close);
            event.currentTarget.value = '';
          }}
        />
        {served.value?.files.map(({ number, name, kind }) => (
          <button type="button" key={name} onClick={() => void openServed(number).then(close)}>
            {kind}: {name}
          </button>
        ))}
        {served.value?.live === true && (
          <button type="button" onClick={() => void openLive().then(close)}>
            This host, as it is now
          </button>
        )}
        <button type="button" onClick={() => void openText(FIRST_PROGRAM).then(close)}>
          A small memory program: a file, private memory, a fork
        </button>
        {EXAMPLES.map(({ id, says }) => (
          <button type="button" key={id} onClick={() => void openExample(id).then(close)}>
            Recording: {says}
          </button>
        ))}
        <p>Or drop a file on the page. It is read here and sent nowhere.</p>
      </div>
    </details>
  );
}

function MachineForm() {
  const menu = useRef<HTMLDetailsElement>(null);
  const { choice } = engine;
  return (
    <details class="menu" ref={menu}>
      <summary>Machine</summary>
      <MachineFields
        choice={choice.value}
        isProgram={engine.facts.value?.kind === 'program'}
        onChoose={(chosen) => {
          if (menu.current !== null) menu.current.open = false;
          void engine.rebuild(chosen);
        }}
      />
    </details>
  );
}

/** The form of a machine: the kernel and its sizes. */
export function MachineFields(props: {
  choice: MachineChoice;
  isProgram: boolean;
  onChoose: (choice: MachineChoice) => void;
}) {
  const { choice, isProgram, onChoose } = props;
  const wrong = useSignal<string | null>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    const size = (name: string): number | null => (text(name) === '' ? null : (parseSize(text(name)) ?? Number.NaN));
    const kernel = KERNELS.find(({ version }) => version === text('kernel'))!;
    const sizes = { limitBytes: size('limit'), programRamBytes: size('memory') };
    const ramBytes = isProgram ? choice.ramBytes : (size('ram') ?? choice.ramBytes);
    const swapBytes = isProgram ? choice.swapBytes : text('swap') === '0' ? 0 : (size('swap') ?? 0);
    const swappiness = isProgram ? choice.swappiness : Number(text('swappiness'));
    if ([...Object.values(sizes), ramBytes, swapBytes].some((bytes) => Number.isNaN(bytes))) {
      wrong.value = 'A size is written 64M, 12603K or 1G.';
      return;
    }
    wrong.value = null;
    const mglru = fields.get('mglru') !== null && kernel.hasMglru;
    onChoose({ ...choice, ...sizes, ramBytes, swapBytes, swappiness, mglru, kernel: kernel.version });
  };
  return (
    <form class="menu-body machine" onSubmit={submit}>
      <label>
        Kernel
        <select name="kernel" value={choice.kernel}>
          {KERNELS.map(({ version }) => (
            <option key={version} value={version}>
              Linux {version}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" name="mglru" checked={choice.mglru} /> multi-generational LRU (6.x)
      </label>
      {isProgram ? (
        <SizeField name="memory" says="Memory" bytes={choice.programRamBytes} hint="as large as the program needs" />
      ) : (
        <>
          <SizeField name="limit" says="Limit of the program" bytes={choice.limitBytes} hint="none" />
          <SizeField name="ram" says="Memory" bytes={choice.ramBytes} hint="" />
          <SizeField name="swap" says="Swap" bytes={choice.swapBytes} hint="0: none" />
          <label>
            Swappiness
            <input name="swappiness" type="number" min="0" max="200" value={choice.swappiness} />
          </label>
        </>
      )}
      <p class="wrong" role="alert">
        {wrong.value}
      </p>
      <button type="submit">Build this machine</button>
    </form>
  );
}

function SizeField(props: { name: string; says: string; bytes: number | null; hint: string }) {
  const { name, says, bytes, hint } = props;
  return (
    <label>
      {says}
      <input
        name={name}
        value={bytes === null ? '' : bytes === 0 ? '0' : sizeText(bytes)}
        placeholder={hint}
        size={10}
      />
    </label>
  );
}

function sizeText(bytes: number): string {
  return parseSize(formatSize(bytes)) === bytes ? formatSize(bytes) : String(bytes);
}
