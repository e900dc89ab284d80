/**
 * What every page of ours has: a head that forbids the network, one style, escaped text.
 *
 * Promises  1. A page needs nothing but itself: no font, no picture, no host; a policy in its head forbids them. A script is allowed by
 *              the hash of its own text, so nothing else runs.
 *           2. It reads in light and dark, on a phone, on paper and without colour: marks differ in shape and dash, numbers stand in tables.
 */
import { escapeHtml } from './escape.ts';
import { PALETTE_STYLE } from './plot.ts';
import { SCRIPT, SCRIPT_SHA256 } from './script.ts';

export interface Page {
  title: string;
  /** Its HTML. */
  body: string;
}

export function htmlPage({ title, body }: Page): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${STYLE}${PALETTE_STYLE}</style>
</head>
<body>
<main>
${body}
<footer><p>Written by revmap, a simulator of Linux's memory manager. Pages are 4 KiB, MiB are 2<sup>20</sup> bytes.</p></footer>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** A table that scrolls on its own where it is too wide. Cells are HTML already. */
export function htmlTable(head: readonly string[], rows: readonly (readonly string[])[], caption: string): string {
  const cells = rows.map(([first = '', ...rest]) => {
    const others = rest.map((cell) => `<td>${cell}</td>`).join('');
    return `<tr><th scope="row">${first}</th>${others}</tr>`;
  });
  const heads = head.map((name) => `<th scope="col">${name}</th>`).join('');
  return (
    `<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>` +
    `<thead><tr>${heads}</tr></thead><tbody>\n${cells.join('\n')}\n</tbody></table></div>`
  );
}

export function htmlList(texts: readonly string[]): string {
  return `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join('\n')}</ul>`;
}

const STYLE = `
:root { color-scheme: light dark; --fg: #1b1f24; --dim: #57606a; --bg: #ffffff; --card: #f5f7f9; --line: #d5dae0; --accent: #0b5cad; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e6e9ed; --dim: #a3adb8; --bg: #12161a; --card: #1b2127; --line: #39424c; --accent: #7ab8ff; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
p, ul { margin: .5rem 0; max-width: 46rem; } ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
code { font: .9em ui-monospace, "Cascadia Mono", Menlo, monospace; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; white-space: pre-wrap; margin: .5rem 0; }
.sub, .note, footer, figcaption, caption { color: var(--dim); } .note, footer, figcaption { font-size: .875rem; }
.answer { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--accent); border-radius: 6px; padding: 1.25rem 1.5rem; margin: 1.5rem 0; }
.answer .big { font-size: 2.25rem; line-height: 1.15; font-weight: 700; margin: 0; font-variant-numeric: tabular-nums; }
.answer p { margin: .25rem 0; } .answer dl.tiles { margin-bottom: 0; }
dl.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
dl.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; }
dl.tiles dt { color: var(--dim); font-size: .8125rem; } dl.tiles dd { margin: 0; font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums; }
dl.tiles dd small { display: block; font-size: .8125rem; font-weight: 400; color: var(--dim); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; min-width: min(100%, 34rem); font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .8125rem; padding: 0 0 .25rem; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
thead th { color: var(--dim); font-weight: 600; vertical-align: bottom; }
th:first-child { text-align: left; padding-left: 0; } tbody th { font-weight: 500; }
td:has(.text), th:has(.text) { text-align: left; white-space: normal; min-width: 11rem; } th:has(.name) { white-space: normal; overflow-wrap: anywhere; min-width: 13rem; }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--c2); font-weight: 600; } tr:has(strong) { background: var(--card); }
figure { margin: 1.25rem 0; } svg { display: block; width: 100%; height: auto; }
.plot svg.narrow { display: none; } .plot svg { touch-action: pan-y; cursor: crosshair; }
.plot .log { display: none; } .plot[data-scale=log] .log { display: inline; } .plot[data-scale=log] .linear { display: none; }
.controls { display: none; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .25rem 0; }
.interactive .controls { display: flex; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem; margin: .25rem 0; }
.plot button { font: inherit; font-size: .875rem; color: var(--fg); background: var(--bg); border: 1px solid var(--line); border-radius: 6px; padding: .3rem .65rem; display: inline-flex; gap: .45rem; align-items: center; min-height: 2rem; text-align: left; }
.interactive .plot button { cursor: pointer; } .interactive .plot button:hover { border-color: var(--dim); }
.plot button[aria-pressed=false].key { opacity: .55; text-decoration: line-through; }
.plot button.scale[aria-pressed=true] { background: var(--accent); color: var(--bg); border-color: var(--accent); }
.plot button svg { width: 26px; height: 12px; flex: none; } .plot output { font-weight: 650; font-variant-numeric: tabular-nums; }
.controls label { display: flex; gap: .6rem; align-items: center; flex: 1 1 16rem; font-size: .875rem; color: var(--dim); }
.controls input { flex: 1; min-width: 6rem; height: 2rem; accent-color: var(--accent); } .controls label output { color: var(--fg); min-width: 5.5em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.bar rect { stroke: var(--bg); stroke-width: 1; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .5em; background: currentColor; }
details { margin: .75rem 0; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 640px) {
  main { padding: 1.25rem 1rem 2rem; } h1 { font-size: 1.4rem; } .answer { padding: 1rem; } .answer .big { font-size: 1.75rem; }
  .plot svg.wide { display: none; } .plot svg.narrow { display: block; } th, td { padding: .35rem .45rem; }
}
@media (prefers-reduced-motion: no-preference) { .plot .cursor { transition: transform .08s linear; } }
@media print {
  :root { color-scheme: light; --fg: #000; --dim: #333; --bg: #fff; --card: #fff; --line: #999; --accent: #000; --bad: #000; }
  @page { margin: 16mm 14mm; } body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  .controls, .plot output, .cursor { display: none !important; } .scroll { overflow: visible; } table { font-size: 8.5pt; }
  .plot svg.wide { display: block; } .plot svg.narrow { display: none; }
  th, td { padding: .2rem .35rem; white-space: normal; } .plot button { border: 0; padding: 0 .75rem 0 0; }
  figure, .answer, dl.tiles div, tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; } h2 { margin-top: 1.5rem; }
}
`;
