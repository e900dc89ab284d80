/** Files that `sweep` and `demo` write beside what they print: the report, the plots. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { plotFile } from '../lab/report/plot.ts';
import { plotsOf } from '../lab/report/plots.ts';
import { reportHtml } from '../lab/report/report.ts';
import type { SweepResult } from '../lab/result.ts';

/** `true`: a name of our own, under reports/. */
export function writeReport(sweep: SweepResult, wanted: string | true): string {
  const path = wanted === true ? join('reports', `${fileName(sweep)}.html`) : wanted;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    reportHtml(sweep, { commandLine: commandLine(process.argv.slice(2)), version: manifest.version }),
  );
  return path;
}

/** Each plot as an SVG file in `folder`; says which. */
export function writePlots(sweep: SweepResult, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return plotsOf(sweep).map((plot) => {
    const path = join(folder, `${fileName(sweep)}-${plot.name}.svg`);
    writeFileSync(path, plotFile(plot));
    return path;
  });
}

function fileName({ recording }: SweepResult): string {
  return recording.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '') || 'recording';
}

/** As one would type it; what a shell would take apart is quoted. */
export function commandLine(args: readonly string[]): string {
  const quoted = args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`));
  return ['revmap', ...quoted].join(' ');
}
