// Owns how tests are found and run. Two projects: `core` needs no world and must be quick; `world` starts processes, opens ports and
// writes files. Every test/**/*.test.ts belongs to exactly one of them.
import { defineConfig } from 'vitest/config'

const core = ['unit', 'golden', 'format', 'property', 'sim'].map((folder) => `test/${folder}/**/*.test.ts`)

// Test machines have two cores; more workers would only make time-outs of real processes less certain.
const workersMax = 2

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: workersMax,
    allowOnly: false,
    passWithNoTests: false,
    // Packages load once per worker, but module state never leaks from one test file into the next.
    isolate: true,
    projects: [
      { extends: true, test: { name: 'core', include: core, testTimeout: 20_000, hookTimeout: 20_000 } },
      {
        extends: true,
        test: { name: 'world', include: ['test/**/*.test.ts'], exclude: core, testTimeout: 120_000, hookTimeout: 180_000 },
      },
    ],
  },
})
