/**
 * The terminal, if there is one: how wide it is, whether it shows colours, and how text gets to it or into a pipe.
 *
 * Promises  1. process.stdout and process.stderr, and picocolors, which looks at them, are made by their first use: this takes
 *              longer than a small answer. What is no character device is no terminal, and needs neither.
 *           2. A reader that closes the pipe ends us quietly.
 *           3. Where there may be colours, picocolors decides: NO_COLOR, FORCE_COLOR, --color, CI.
 */
import { fstatSync, writeSync } from 'node:fs';
import type picocolors from 'picocolors';

const STDOUT = 1;

type Colour = 'blue' | 'bold' | 'cyan' | 'dim' | 'green' | 'magenta' | 'red' | 'white' | 'yellow';
type Colours = Pick<typeof picocolors, Colour | 'isColorSupported'>;

/** Loaded where it is asked for: not every answer has a table, or colours. */
export function load(name: string): unknown {
  return process.getBuiltinModule('node:module').createRequire(import.meta.url)(name);
}

const asIs = (text: string | number | null | undefined): string => String(text);
const plain: Colours = {
  isColorSupported: false,
  blue: asIs,
  bold: asIs,
  cyan: asIs,
  dim: asIs,
  green: asIs,
  magenta: asIs,
  red: asIs,
  white: asIs,
  yellow: asIs,
};

export const pc: Colours = mayHaveColours() ? (load('picocolors') as Colours) : plain;

function mayHaveColours(): boolean {
  const { FORCE_COLOR, CI } = process.env;
  const isWished = FORCE_COLOR !== undefined || CI !== undefined || process.argv.includes('--color');
  return isWished || mayBeTerminal();
}

/** /dev/null is a character device, too. */
export function mayBeTerminal(): boolean {
  try {
    return fstatSync(STDOUT).isCharacterDevice();
  } catch {
    return false; // closed
  }
}

let isStreamMade = false;

/** `head | revmap` must not complain. */
export function endQuietlyOnClosedPipe(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const make = Object.getOwnPropertyDescriptor(process, name)!.get!;
    const get = (): NodeJS.WriteStream => {
      const stream: NodeJS.WriteStream = make.call(process);
      Object.defineProperty(process, name, { configurable: true, enumerable: true, value: stream });
      if (name === 'stdout') isStreamMade = true;
      return stream.on('error', endIfClosed);
    };
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get });
  }
}

function endIfClosed(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

/** To stdout, in order with what its stream writes. */
export function write(text: string): void {
  const bytes = Buffer.from(text);
  const written = isStreamMade ? 0 : writeNow(bytes);
  if (written < bytes.length) process.stdout.write(bytes.subarray(written));
}

/** How many bytes went at once: a pipe that another program made non-blocking may be full. */
function writeNow(bytes: Uint8Array): number {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(STDOUT, bytes, written);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') endIfClosed(error as NodeJS.ErrnoException);
  }
  return written;
}
