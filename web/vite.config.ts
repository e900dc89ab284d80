/**
 * How the page is built: into dist/web, for any folder of any host, and to be opened as a file.
 *
 * A browser that shows a file runs no module and reads no other file, but it runs scripts: so the page is one classic script, and what
 * it reads (workers, examples) has a script beside it that holds the same bytes (web/app/assets.ts loads it).
 */
import { defineConfig, type Plugin } from 'vite';

const forFiles: Plugin = {
  name: 'to be opened as a file',
  transformIndexHtml: {
    order: 'post',
    handler: (html) => html.replace('type="module" crossorigin', 'defer').replaceAll(' crossorigin', ''),
  },
  generateBundle(_options, bundle) {
    for (const [path, output] of Object.entries(bundle)) {
      if (output.type !== 'asset' || !/(worker-[^/]*\.js|\.gz|\.tsv)$/.test(path)) continue;
      const name = path.split('/').at(-1)!;
      const bytes = Buffer.from(output.source).toString('base64');
      const source = `(globalThis.revmapFiles ??= {})['${name}'] = '${bytes}';\n`;
      this.emitFile({ type: 'asset', fileName: `${path}.beside.js`, source });
    }
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: 'public',
  plugins: [forFiles],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: {
    alias: [
      // A browser has no files: what reads them is another module of the same shape.
      { find: /^\.\/body_file\.ts$/, replacement: `${import.meta.dirname}/../src/trace/body_file_browser.ts` },
    ],
  },
  worker: { format: 'iife' },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    cssCodeSplit: false,
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: { output: { format: 'iife' } },
  },
});
