import { defineConfig } from 'vitest/config'

// The native bench on its own: `npx vitest run --config test/native-bench/vitest.config.ts`. One
// file after the other, since they measure time on the same few cores.
export default defineConfig({
  test: {
    name: 'native-bench',
    pool: 'forks',
    include: ['test/native-bench/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
