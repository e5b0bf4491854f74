/* The tests run as two projects. `code` needs no server: unit tests and the tidy test, many files at a time.
 * `servers` starts real processes, so its files take turns (they would otherwise measure and starve each other),
 * time out late, and run against dist/, which is built once before the first of them. */
import { defineConfig } from 'vitest/config'

const inCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
const excluded = ['**/node_modules/**', '**/fixtures/**']
const startsServers = 'test/{apps,integration,compat,crash,fuzz,helpers}/**/*.test.ts'

export default defineConfig({
  test: {
    pool: 'forks',
    passWithNoTests: false,
    allowOnly: !inCi,
    reporters: inCi ? ['default', ['json', { outputFile: 'node_modules/.cache/test-results.json' }]] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'code',
          include: ['test/**/*.test.ts'],
          exclude: [...excluded, startsServers],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: [startsServers],
          exclude: excluded,
          globalSetup: 'test/helpers/build-once.ts',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 }, // after the unit tests: both cores are then the servers'
        },
      },
    ],
  },
})
