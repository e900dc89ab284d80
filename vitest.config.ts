import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    reporters: ['default'],
    // A promise is broken or it holds; a slow or busy machine is neither.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
