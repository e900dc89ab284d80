/**
 * Memory programs on the disk, and the recordings that lie beside them.
 *
 * Owns      which files belong together: `x.mmp` with `x.rec`, `x.6.18.rec` or `x.6.1.192.rec`. Which kernel a recording speaks for
 *           is what its header says, not its name.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { InputError } from '../../mm/bug.ts';
import { readText } from '../text_file.ts';
import { generationOf } from './check.ts';
import { parseRecording, type Recording } from './recording.ts';

export interface ProgramFile {
  readonly path: string;
  /** From the folder that was asked for. */
  readonly name: string;
  /** It was asked for itself, not found in a folder. */
  readonly named: boolean;
}

export interface RecordingFile {
  readonly path: string;
  readonly recording: Recording;
  /** The engine's generation. */
  readonly kernel: string;
}

/** The programs that `paths` name, and those in the folders that they name, by name. */
export function programsIn(paths: readonly string[]): ProgramFile[] {
  return paths.flatMap((path) => {
    if (!existsSync(path)) throw new InputError(path, 0, 'no such file or folder');
    if (!statSync(path).isDirectory()) return [{ path, name: basename(path), named: true }];
    const found = mmpsIn(path).map((file) => ({ path: file, name: relative(path, file), named: false }));
    if (found.length === 0) throw new InputError(path, 0, 'no program (.mmp) in this folder');
    return found;
  });
}

function mmpsIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return mmpsIn(path);
      return entry.name.endsWith('.mmp') ? [path] : [];
    });
}

/** Recordings by the folder they are in and the program they are of. */
export class RecordingFinder {
  private readonly folders: Map<string, Map<string, string[]>> = new Map();

  /** Those beside the program, of `kernel` if one is given; the newest kernel first. */
  beside(program: string, kernel: string | undefined): RecordingFile[] {
    const folder = dirname(program);
    const stem = basename(program, '.mmp');
    const names = this.inFolder(folder).get(stem) ?? [];
    const files = names.map((name) => readRecording(join(folder, name)));
    return files
      .filter((file) => kernel === undefined || file.kernel === kernel)
      .sort((a, b) => b.recording.header.kernel.localeCompare(a.recording.header.kernel, 'en', { numeric: true }));
  }

  private inFolder(folder: string): Map<string, string[]> {
    let found = this.folders.get(folder);
    if (found === undefined) {
      const names = readdirSync(folder);
      const stems = new Set(names.filter((name) => name.endsWith('.mmp')).map((name) => basename(name, '.mmp')));
      found = new Map();
      for (const name of names) {
        const stem = stemOf(name, stems);
        if (stem !== null) found.set(stem, [...(found.get(stem) ?? []), name]);
      }
      this.folders.set(folder, found);
    }
    return found;
  }
}

/** `x.6.18.rec` is of the program `x`, unless there is one `x.6`. */
function stemOf(name: string, stems: ReadonlySet<string>): string | null {
  if (!name.endsWith('.rec')) return null;
  let stem = basename(name, '.rec');
  for (;;) {
    if (stems.has(stem)) return stem;
    const shorter = stem.replace(/\.\d+$/, '');
    if (shorter === stem) return null;
    stem = shorter;
  }
}

function readRecording(path: string): RecordingFile {
  const recording = parseRecording(readText(path), path);
  return { path, recording, kernel: generationOf(recording, path) };
}
