import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Who exchanges a module for another would exchange it for everybody who shares it. */
const EXCHANGES = ['src', 'web', 'test']
  .flatMap((room) =>
    readdirSync(join(import.meta.dirname, room), { recursive: true, encoding: 'utf8' }).map((path) => join(room, path)),
  )
  .filter((path) => path.endsWith('.test.ts'))
  .filter((path) => readFileSync(join(import.meta.dirname, path), 'utf8').includes('vi.mock('));

export default defineConfig({
  test: {
    reporters: ['default'],
    // Half of the tests wait for programs that they start: two cores are two workers, not one.
    maxWorkers: 2,
    // Where CI is set, picocolors colours pipes too; what is tested is the text.
    env: { NO_COLOR: '1' },
    // A promise is broken or it holds; a slow or busy machine is neither.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        // The engine has no state outside its machines: it is loaded once by each worker, not once by each file.
        test: { name: 'shared', include: ['{src,web,test}/**/*.test.ts'], exclude: EXCHANGES, isolate: false },
      },
      { extends: true, test: { name: 'alone', include: EXCHANGES } },
    ],
  },
});
