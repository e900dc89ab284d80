/**
 * Bundles: what we ship, run and measure. Constants are inlined, across files too.
 *
 *   dist/cli.js      the command                 src/cli/main.ts, and dist/command*.js: what each of its commands needs
 *   dist/worker.js   a worker of a sweep         src/lab/worker.ts
 *   dist/check_worker.js   one of a check        src/lab/check/worker.ts
 *   dist/snapshot_worker.js   what takes a snapshot for the server   src/server/snapshot_worker.ts
 *   dist/index.js    the library `revmap`        src/index.ts
 *   dist/mm.js       the engine `revmap/mm`      src/mm/index.ts
 *   dist/host.js     a live host `revmap/host`   src/host/index.ts
 *   dist/shared*.js  what these three share, so that a Machine is the same class in all
 *   dist/types/      their declarations
 *   dist/web/        the page                     web/main.tsx (vite)
 *
 * Promises  A running revmap never sees half a build: files appear under a private name and are renamed into place, those
 *           that name others last; what it may still be loading stays for ten minutes.
 */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildStamp, root } from './ready.mjs';

const dist = join(root, 'dist');
/** Of dist, replaced as a whole. */
const FOLDERS = ['types', 'web'];

/** A revmap that began before a build loads its pieces in less. */
const OLD_MS = 600_000;

/** How every bundle is made, the benches too. @type {import('esbuild').BuildOptions} */
export const bundleOptions = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  minifySyntax: true, // this is what inlines constants; names and lines stay, for stack traces and profiles
  sourcemap: 'linked',
  logLevel: 'warning',
};

/**
 * The command brings commander with it, under commander's licence: found file by file, and with child_process for commands that
 * are programs of their own, which ours are not, it takes half as long to load as Node itself.
 * @type {import('esbuild').Plugin}
 */
const withCommander = {
  name: 'with commander',
  setup(build) {
    const folder = realpathSync(join(root, 'node_modules', 'commander'));
    build.onResolve({ filter: /^commander$/ }, () => ({ path: join(folder, 'index.js') }));
    build.onLoad({ filter: /\/commander\/index\.js$/ }, ({ path }) => {
      const licence = readFileSync(join(folder, 'LICENSE'), 'utf8');
      return { contents: `/*! commander\n\n${licence}*/\n${readFileSync(path, 'utf8')}` };
    });
    build.onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
      importer.startsWith(folder) ? { path, namespace: 'when-used' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'when-used' }, ({ path }) => ({
      contents: `exports.spawn = (...args) => process.getBuiltinModule('${path}').spawn(...args);`,
    }));
  },
};

/**
 * `import … from 'node:fs'` asks for every export, also those that load all of node:stream. The command takes it as `require`
 * does; names that are made when asked for stay out.
 * @type {import('esbuild').Plugin}
 */
const withoutStreams = {
  name: 'without streams',
  setup(build) {
    build.onResolve({ filter: /^node:(fs|util)$/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'as-required' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'as-required' }, ({ path }) => {
      const properties = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule(path)));
      const names = properties.filter(([, { get }]) => get === undefined).map(([name]) => name);
      return { contents: `export const { ${names.join(', ')} } = process.getBuiltinModule('${path}');` };
    });
  },
};

/** How the engine and the readers of our files are bundled for a browser. @type {import('esbuild').BuildOptions} */
export const browserOptions = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'chrome120',
  minifySyntax: true,
  logLevel: 'warning',
  plugins: [
    {
      name: 'no files in a browser',
      setup(build) {
        build.onResolve({ filter: /\/body_file\.ts$/ }, () => ({ path: join(root, 'src/trace/body_file_browser.ts') }));
      },
    },
  ],
};

/** The bundles, and with `types` their declarations. Without, those of the last build stay. */
export async function buildAll({ types = false } = {}) {
  const started = new Date(); // a source saved while we build is newer than the stamp
  mkdirSync(dist, { recursive: true });
  const outdir = mkdtempSync(join(dist, '.new-'));
  const sources = new Set(['package.json', 'package-lock.json', 'scripts/build.mjs']);
  const bundle = async (/** @type {import('esbuild').BuildOptions} */ options) => {
    const { metafile } = await build({ ...bundleOptions, outdir, metafile: true, ...options });
    for (const source of Object.keys(metafile?.inputs ?? {})) if (source.startsWith('src/')) sources.add(source);
  };
  try {
    await bundle({
      entryPoints: { cli: 'src/cli/main.ts' },
      splitting: true,
      chunkNames: 'command-[hash]',
      plugins: [withCommander, withoutStreams],
      banner: { js: 'const require = process.getBuiltinModule;' }, // commander's, of what Node has
    });
    await bundle({ entryPoints: { worker: 'src/lab/worker.ts' } });
    await bundle({ entryPoints: { check_worker: 'src/lab/check/worker.ts' } });
    await bundle({ entryPoints: { snapshot_worker: 'src/server/snapshot_worker.ts' } });
    await bundle({
      entryPoints: { index: 'src/index.ts', mm: 'src/mm/index.ts', host: 'src/host/index.ts' },
      splitting: true,
      chunkNames: 'shared-[hash]',
    });
    for (const source of await buildWeb(join(outdir, 'web'))) sources.add(source);
    if (types) buildTypes(join(outdir, 'types'));
    moveIntoPlace(outdir, types ? 0 : OLD_MS);
  } finally {
    rmSync(outdir, { recursive: true });
  }
  writeFileSync(buildStamp, [...sources].join('\n'));
  utimesSync(buildStamp, started, started);
}

/**
 * The page. What it was made of: paths below the root.
 * @param {string} outDir
 * @returns {Promise<string[]>}
 */
async function buildWeb(outDir) {
  /** @type {string[]} */
  const sources = [];
  const { build: buildPage } = await import('vite');
  await buildPage({
    configFile: join(root, 'web', 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir },
    plugins: [
      {
        name: 'what it is made of',
        buildEnd() {
          for (const id of this.getModuleIds()) {
            const path = relative(root, id.replace(/[?].*$/, ''));
            if (/^(src|web|examples)\//.test(path)) sources.push(path);
          }
        },
      },
    ],
  });
  return ['web/index.html', 'web/vite.config.ts', ...sources];
}

/** @param {string} outDir */
function buildTypes(outDir) {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const { status } = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', outDir], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('the declarations were not built');
}

/**
 * Replaces what has a new form and removes what no longer has one and is as old as that.
 * @param {string} outdir
 * @param {number} oldMs
 */
function moveIntoPlace(outdir, oldMs) {
  const made = readdirSync(outdir);
  const isPiece = (/** @type {string} */ name) => /^(command|shared)-/.test(name);
  for (const old of readdirSync(dist)) {
    const path = join(dist, old);
    const kept = made.includes(old) || old.startsWith('.') || old === 'types';
    const inUse = isPiece(old) && Date.now() - statSync(path).mtimeMs < oldMs;
    const isReplacedFolder = FOLDERS.includes(old) && made.includes(old);
    if ((!kept && !inUse) || isReplacedFolder) rmSync(path, { recursive: true });
  }
  for (const name of made.sort((a, b) => Number(isPiece(b)) - Number(isPiece(a)))) {
    renameSync(join(outdir, name), join(dist, name));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildAll({ types: true }).catch((error) => {
    console.error(`revmap: ${error.message}`);
    process.exitCode = 1;
  });
}
