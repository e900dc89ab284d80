/** How the page is built: into dist/web, for any folder of any host. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: 'public',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: {
    alias: [
      // A browser has no files: what reads them is another module of the same shape.
      { find: /^\.\/body_file\.ts$/, replacement: `${import.meta.dirname}/../src/trace/body_file_browser.ts` },
    ],
  },
  worker: { format: 'es' },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: true,
    // A page that is read from a folder asks for nothing it could do without.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
