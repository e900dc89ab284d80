/**
 * `npm run coverage`: which branches of src/mm the whole test suite takes, and which it does not and why.
 *
 * A copy of the project, its engine marked (scripts/instrument.mjs), runs `npm test`: single modules, bundles, workers and
 * commands all run the marked sources. `npm run coverage -- mremap -t shrink` takes what `npm test` takes.
 *
 * Promises  1. The project itself is left as it was, and the copy is removed.
 *           2. The last line is the total. Before it come the files, and each branch that nothing took with the reason
 *              that docs/branches.md gives.
 *           3. It fails when a test fails, and when the whole suite takes less than 95 %.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installPackages, requireNode, root } from './setup.mjs';

const ENGINE = 'src/mm';
const REASONS = 'docs/branches.md';
/** Percent of all branches. */
const AIM = 95;
/** What a run makes, and what it takes from us as it is. */
const NOT_COPIED = ['.git', '.revmap', 'coverage', 'dist', 'node_modules', 'reports'];

/** @typedef {import('./instrument.mjs').Branch & { file: string, taken: boolean }} Branch */

/** The files of the engine that are no tests. @param {string} folder @returns {string[]} */
function engineFiles(folder) {
  const names = readdirSync(join(folder, ENGINE), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort();
}

/** @param {string} copy */
function copyProject(copy) {
  const filter = (/** @type {string} */ path) => !NOT_COPIED.includes(relative(root, path));
  cpSync(root, copy, { recursive: true, preserveTimestamps: true, filter });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

/** Marks the engine of the copy. @param {string} copy @returns {Promise<Branch[]>} */
async function markEngine(copy) {
  const { instrument } = await import('./instrument.mjs');
  return engineFiles(copy).flatMap((file) => {
    const path = join(copy, ENGINE, file);
    const { branches, text } = instrument(file, readFileSync(path, 'utf8'));
    writeFileSync(path, text);
    return branches.map((branch) => ({ ...branch, file, taken: false }));
  });
}

/** @param {string} copy @param {string} marks @param {string[]} args @returns {boolean} whether every test passed */
function runTests(copy, marks, args) {
  mkdirSync(marks);
  const preload = pathToFileURL(join(copy, 'scripts', 'branch_marks.mjs'));
  const NODE_OPTIONS = `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim();
  const env = { ...process.env, NODE_OPTIONS, REVMAP_BRANCHES: marks };
  return spawnSync('npm', ['test', '--', ...args], { cwd: copy, env, stdio: ['ignore', 2, 2] }).status === 0;
}

/** @param {Branch[]} branches @param {string} folder */
function readMarks(branches, folder) {
  /** @type {Map<string, Branch[]>} */
  const byFile = new Map();
  for (const branch of branches) byFile.set(branch.file, [...(byFile.get(branch.file) ?? []), branch]);
  for (const name of readdirSync(folder)) {
    /** @type {Record<string, string>} */
    const marks = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    for (const [file, marked] of Object.entries(marks)) {
      for (const [i, byte] of Buffer.from(marked, 'base64').entries()) {
        const branch = byFile.get(file)?.[i];
        if (byte === 1 && branch !== undefined) branch.taken = true;
      }
    }
  }
}

/** How a page names a branch: by what it says, which outlives its line. @param {Branch} branch */
function nameOf({ file, kind, text }) {
  return `${file}: ${kind} ${text}`;
}

/**
 * A heading is the reason, an item below it a branch.
 * @param {string} page
 * @returns {Map<string, string>}
 */
export function reasonsOf(page) {
  const reasons = new Map();
  let reason = '';
  for (const line of page.split('\n')) {
    reason = /^## (.+)$/.exec(line)?.[1] ?? reason;
    const [, file, branch] = /^- (\S+): `(.+)`$/.exec(line) ?? [];
    if (branch !== undefined) reasons.set(`${file}: ${branch}`, reason);
  }
  return reasons;
}

/** @param {string} what @param {Branch[]} branches */
function totalLine(what, branches) {
  const taken = branches.filter((branch) => branch.taken).length;
  const percent = (100 * taken) / Math.max(branches.length, 1);
  return { percent, line: `${percent.toFixed(1).padStart(5)} %  ${taken} of ${branches.length}  ${what}` };
}

/** @param {Branch[]} branches @param {Map<string, string>} reasons @returns {number} percent of all */
function report(branches, reasons) {
  for (const file of new Set(branches.map((branch) => branch.file))) {
    console.log(
      totalLine(
        `${ENGINE}/${file}`,
        branches.filter((branch) => branch.file === file),
      ).line,
    );
  }
  const left = branches.filter((branch) => !branch.taken).sort((a, b) => (a.file === b.file ? a.line - b.line : 0));
  if (left.length > 0) console.log('\nnot taken');
  for (const branch of left) {
    const why = reasons.get(nameOf(branch)) ?? `no reason in ${REASONS}`;
    console.log(`${ENGINE}/${branch.file}:${branch.line}  ${branch.kind} ${branch.text}  (${why})`);
  }
  const named = new Set(left.map(nameOf));
  for (const name of reasons.keys()) if (!named.has(name)) console.log(`${REASONS}: is taken, or is no more: ${name}`);
  const { percent, line } = totalLine(`branches of ${ENGINE} taken`, branches);
  console.log(`\n${line}`);
  return percent;
}

async function main() {
  requireNode();
  installPackages();
  const args = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), 'revmap-branches-'));
  try {
    const copy = join(folder, 'project');
    const marks = join(folder, 'marks');
    copyProject(copy);
    const branches = await markEngine(copy);
    const passed = runTests(copy, marks, args);
    readMarks(branches, marks);
    const percent = report(branches, reasonsOf(readFileSync(join(root, REASONS), 'utf8')));
    if (!passed || (args.length === 0 && percent < AIM)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
