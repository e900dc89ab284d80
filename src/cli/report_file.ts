/** Files that `sweep` and `demo` write beside what they print: the report, the plots. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { type Plot, plotFile } from '../lab/report/plot.ts';
import type { Provenance } from '../lab/report/report.ts';

/** `true`: a name of our own, under reports/. */
export function writeReport(recording: string, html: string, wanted: string | true): string {
  const path = wanted === true ? join('reports', `${fileName(recording)}.html`) : wanted;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, html);
  return path;
}

/** Each plot as an SVG file in `folder`; says which. */
export function writePlots(recording: string, plots: readonly Plot[], folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return plots.map((plot) => {
    const path = join(folder, `${fileName(recording)}-${plot.name}.svg`);
    writeFileSync(path, plotFile(plot));
    return path;
  });
}

function fileName(recording: string): string {
  return recording.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '') || 'recording';
}

/** Who wrote a file, and by which command. */
export function provenance(): Provenance {
  return { commandLine: commandLine(process.argv.slice(2)), version: manifest.version };
}

/** As one would type it; what a shell would take apart is quoted. */
function commandLine(args: readonly string[]): string {
  const quoted = args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`));
  return ['revmap', ...quoted].join(' ');
}
