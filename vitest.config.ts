import { defineConfig } from 'vitest/config';

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
        test: { name: 'units', include: ['src/**/*.test.ts', 'web/**/*.test.ts'], isolate: false },
      },
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'] } },
    ],
  },
});
