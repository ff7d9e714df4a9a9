// Owns `npm test`: installs, builds and sets up the test tools, runs vitest with what was given after `--`, lists what was skipped,
// and ends with the plain line `N passed, N failed`. With CI=true a skipped test is a failed one. Needs no package itself.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled, root, run } from './install.mjs'

const onCi = process.env.CI === 'true' || process.env.CI === '1'

ensureInstalled()
run(process.execPath, [join(root, 'infra/house/build.mjs')], 'the build failed; its output above says where')
const toolSetup = join(root, 'test/support/tools/setup.mjs')
if (existsSync(toolSetup)) run(process.execPath, [toolSetup], 'a test tool could not be set up; its output above says which')

const scratch = mkdtempSync(join(tmpdir(), 'chronik-test-'))
const countFile = join(scratch, 'count.json')
const vitest = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    `--reporter=${join(root, 'infra/house/plain-reporter.mjs')}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, CHRONIK_TEST_COUNT_FILE: countFile } },
)
const count = existsSync(countFile)
  ? JSON.parse(readFileSync(countFile, 'utf8'))
  : { passed: 0, failed: ['vitest ended before it could count'], skipped: [] }
rmSync(scratch, { recursive: true, force: true })

const list = (title, names) => {
  if (names.length > 0) process.stdout.write(`\n${title}:\n${names.map((name) => `  ${name}\n`).join('')}`)
}
list('failed', count.failed)
list(onCi ? 'skipped (on CI nothing may be: these count as failed)' : 'skipped', count.skipped)
if (count.passed === 0 && count.failed.length === 0) count.failed.push('no test ran')
let failed = count.failed.length + (onCi ? count.skipped.length : 0)
if (vitest.status !== 0 && failed === 0) {
  process.stdout.write(`\nvitest ended with ${vitest.status ?? vitest.signal} although no test failed\n`)
  failed = 1
}
process.stdout.write(`\n${count.passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
