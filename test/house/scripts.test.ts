// The scripts of the house: what they refuse, and that the count at the end of a run is true.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { whyInstall } from '../../infra/house/install.mjs'
import { root, typescriptFiles } from './planted-tree.ts'

interface Ended {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

function node(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = root): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { cwd, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

describe('what must be installed is judged by content', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'chronik-install-'))
    mkdirSync(join(dir, 'node_modules'))
  })
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const lock = (path: string, packages: object): void => {
    writeFileSync(join(dir, path), JSON.stringify({ packages }))
  }

  test('missing, older, absent though optional, and equal', () => {
    lock('package-lock.json', {
      '': {},
      'node_modules/a': { version: '2.0.0' },
      'node_modules/b': { version: '1.0.0', optional: true },
    })
    expect(whyInstall(dir)).toBe('node_modules is missing')
    lock('node_modules/.package-lock.json', {})
    expect(whyInstall(dir)).toBe('node_modules/a is not installed')
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.9.0' } })
    expect(whyInstall(dir)).toBe('node_modules/a is 1.9.0, the lock names 2.0.0')
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '2.0.0' } })
    expect(whyInstall(dir)).toBeUndefined()
  })
})

describe('the count of a test run', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(root, 'node_modules', '.cache-chronik-count-'))
    const config =
      "import { defineConfig } from 'vitest/config'\nexport default defineConfig({ test: { include: ['*.test.ts'] } })\n"
    writeFileSync(join(dir, 'vitest.config.ts'), config)
  })
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })

  const count = async (files: Readonly<Record<string, string>>): Promise<Record<string, unknown>> => {
    for (const [name, code] of Object.entries(files)) writeFileSync(join(dir, name), code)
    const countFile = join(dir, 'count.json')
    rmSync(countFile, { force: true })
    const reporter = join(root, 'infra/house/plain-reporter.mjs')
    const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', dir, `--reporter=${reporter}`]
    const { stdout, stderr } = await node(args, { CHRONIK_TEST_COUNT_FILE: countFile }, dir)
    expect(existsSync(countFile), stdout + stderr).toBe(true)
    return JSON.parse(readFileSync(countFile, 'utf8')) as Record<string, unknown>
  }

  test('tells passed, failed, skipped, a file that does not load and a set-up that fails', async () => {
    const head = "import { beforeAll, describe, expect, test } from 'vitest'\n"
    const counted = await count({
      'a.test.ts': `${head}test('good', () => {})\ntest('bad', () => { expect(1).toBe(2) })\ntest.skip('later', () => {})\ntest.todo('some day')\n`,
      'b.test.ts': "import './absent.ts'\n",
      'c.test.ts': `${head}describe('suite', () => { beforeAll(() => { throw new Error('no') }); test('never', () => {}) })\n`,
    })
    expect(counted['passed']).toBe(1)
    expect(counted['failed']).toEqual([
      'a.test.ts > bad',
      'b.test.ts: the file did not load',
      'c.test.ts > suite: set-up or tear-down failed',
    ])
    expect(counted['skipped']).toEqual(expect.arrayContaining(['a.test.ts > later', 'a.test.ts > some day']))
  })
})

test('every test file belongs to exactly one project', async () => {
  const { stdout } = await node([join(root, 'node_modules/vitest/vitest.mjs'), 'list', '--filesOnly', '--json'])
  const listed = (JSON.parse(stdout) as Array<{ file: string }>).map(({ file }) => file.slice(root.length + 1))
  expect(listed.filter((file, at) => listed.indexOf(file) !== at)).toEqual([])
  const onDisk = typescriptFiles(root, ['test']).filter((path) => path.endsWith('.test.ts'))
  expect(onDisk.filter((path) => !listed.includes(path))).toEqual([])
})

test('an unknown step of the check is refused by name', async () => {
  const { exitCode, stderr } = await node(['infra/house/check.mjs', 'eslintt'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('no step eslintt; there are eslint, tsc')
})

test('without a build the launcher names the remedy', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'chronik-bin-'))
  mkdirSync(join(dir, 'bin'))
  for (const name of ['bin/chronik.cjs', 'bin/thread-pool.cjs']) writeFileSync(join(dir, name), readFileSync(join(root, name)))
  const { exitCode, stderr } = await node([join(dir, 'bin/chronik.cjs')])
  rmSync(dir, { recursive: true, force: true })
  expect(exitCode).toBe(2)
  expect(stderr).toContain('npm run build')
})

test('docs/dependencies.md names every package, and no other', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>
  const document = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')
  const named = [...document.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  )
  expect(named.toSorted()).toEqual([...Object.keys(dependencies!), ...Object.keys(devDependencies!)].toSorted())
})

test('exit codes are the same in the README and in the code', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const told = [...readme.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
  expect(told).toEqual(Object.values(exitCodes))
})

test('git keeps every source file: nothing that the build needs is ignored', async () => {
  const files = typescriptFiles(root, ['src', 'tiers', 'recovery', 'localstack', 'test'])
  const ignored = await new Promise<string>((resolve) => {
    const git = execFile('git', ['check-ignore', '--stdin'], { cwd: root }, (_, stdout) => {
      resolve(stdout)
    })
    git.stdin?.end(files.join('\n'))
  })
  expect(ignored).toBe('')
})
