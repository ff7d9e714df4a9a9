// The walls of globals, waiting, types, sizes and format: every breach is planted in a copy of the tree and must be found by its own
// rule, on its own line; and no tool may pass by not looking at a file.

import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { ESLint } from 'eslint'
import { getFileInfo } from 'prettier'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PlantedTree, copyOfTree, root, typescriptFiles } from './planted-tree.ts'

const timeAndChance = [
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'setImmediate', 'clearImmediate'],
  ...['queueMicrotask', 'crypto', 'fetch', 'WebSocket', 'WeakRef', 'FinalizationRegistry', 'globalThis', 'global', 'self'],
]
const processAndConsole = ['process', 'console']
const roomsWithoutGlobals = [
  ...[
    'src/base',
    'src/model',
    'src/protocol/codec',
    'src/broker',
    'src/broker/core',
    'src/groups',
    'src/server',
    'src/local-log',
  ],
  ...['src/raft/transport', 'tiers/object-store', 'tiers/wal', 'tiers/stream', 'tiers/upkeep', 'recovery', 'recovery/core'],
]
const usingGlobals = (names: readonly string[]): string =>
  names.map((name, at) => `export const use${at} = (): unknown => ${name}\n`).join('')

interface Breach {
  readonly wall: string
  readonly rule: string
  readonly code: string
  /** Where it is planted; the broker's shell unless said otherwise. */
  readonly room?: string
}

const core = 'src/groups/core'
const assertThatThrows = "export function assertSmall(n: number): void {\n  if (n > 1) throw new Error('big')\n}\n"
const lines = (count: number, line: string): string => `${line}\n`.repeat(count)

const breaches: readonly Breach[] = [
  { wall: 'chance by Math.random', rule: 'no-restricted-properties', code: 'export const roll = (): number => Math.random()\n' },
  {
    wall: 'a clock in AbortSignal',
    rule: 'no-restricted-properties',
    code: 'export const late = () => AbortSignal.timeout(1)\n',
  },
  {
    wall: 'chance by node:crypto',
    rule: 'no-restricted-imports',
    code: "import { randomUUID } from 'node:crypto'\nexport { randomUUID }\n",
  },
  {
    wall: 'a timer import',
    rule: 'no-restricted-imports',
    code: "import { setTimeout } from 'node:timers/promises'\nexport { setTimeout }\n",
  },
  {
    wall: 'perf_hooks',
    rule: 'no-restricted-imports',
    code: "import { performance } from 'node:perf_hooks'\nexport { performance }\n",
  },
  { wall: 'process by import', rule: 'no-restricted-imports', code: "import { env } from 'node:process'\nexport { env }\n" },
  { wall: 'a timer import on the command line', rule: 'no-restricted-imports', room: 'src/cli', code: "import 'node:timers'\n" },
  { wall: 'an async core', rule: 'no-restricted-syntax', room: core, code: 'export async function wait(): Promise<void> {}\n' },
  {
    wall: 'an async arrow in a core',
    rule: 'no-restricted-syntax',
    room: core,
    code: 'export const wait = async () => undefined\n',
  },
  {
    wall: 'an async method in a core',
    rule: 'no-restricted-syntax',
    room: core,
    code: 'export class Waits { async wait() {} }\n',
  },
  {
    wall: 'a promise made in a core',
    rule: 'no-restricted-syntax',
    room: core,
    code: 'export const wait = () => new Promise(() => undefined)\n',
  },
  {
    wall: 'promises gathered in a core',
    rule: 'no-restricted-syntax',
    room: core,
    code: 'export const wait = () => Promise.all([])\n',
  },
  { wall: 'await in a core', rule: 'no-restricted-syntax', room: core, code: 'export const waited = await 1\n' },
  { wall: 'async in base', rule: 'no-restricted-syntax', room: 'src/base', code: 'export const wait = async () => undefined\n' },
  {
    wall: 'async in the recovery core',
    rule: 'no-restricted-syntax',
    room: 'recovery/core',
    code: 'export const wait = async () => undefined\n',
  },
  {
    wall: 'a throw in a core',
    rule: 'no-restricted-syntax',
    room: core,
    code: "export const fail = (): never => { throw new Error('no') }\n",
  },
  {
    wall: 'a throw in the protocol',
    rule: 'no-restricted-syntax',
    room: 'src/protocol/codec',
    code: "export const fail = (): never => { throw new Error('no') }\n",
  },
  {
    wall: 'mutable module state',
    rule: 'no-restricted-syntax',
    code: 'let state = 1\nexport const next = (): number => (state += 1)\n',
  },
  {
    wall: 'exported mutable state',
    rule: 'no-restricted-syntax',
    code: 'export let state = 1\nexport const next = (): number => (state += 1)\n',
  },
  { wall: 'export *', rule: 'no-restricted-syntax', code: "export * from './core/index.ts'\n" },
  { wall: 'a default export', rule: 'no-restricted-syntax', code: 'export default 1\n' },
  { wall: 'an enum', rule: 'no-restricted-syntax', code: 'export enum Colour { red }\n' },
  {
    wall: 'a floating promise',
    rule: '@typescript-eslint/no-floating-promises',
    code: 'export const go = (run: () => Promise<void>): void => { run() }\n',
  },
  {
    wall: 'a floating promise in a test',
    rule: '@typescript-eslint/no-floating-promises',
    room: 'test/unit',
    code: 'export const go = (run: () => Promise<void>): void => { run() }\n',
  },
  {
    wall: 'a promise where a void callback belongs',
    rule: '@typescript-eslint/no-misused-promises',
    code: 'export const each = (xs: number[], run: (x: number) => Promise<void>): void => { xs.forEach(run) }\n',
  },
  {
    wall: 'any',
    rule: '@typescript-eslint/no-explicit-any',
    code: 'export const open = (value: any): unknown => value as unknown\n',
  },
  {
    wall: 'any in a test',
    rule: '@typescript-eslint/no-explicit-any',
    room: 'test/unit',
    code: 'export const open = (value: any): unknown => value as unknown\n',
  },
  {
    wall: 'any that came from JSON',
    rule: '@typescript-eslint/no-unsafe-assignment',
    code: "export const parsed: { readonly a: number } = JSON.parse('{}')\n",
  },
  {
    wall: 'a condition that is not boolean',
    rule: '@typescript-eslint/strict-boolean-expressions',
    code: 'export const is = (value: string | undefined): number => (value ? 1 : 2)\n',
  },
  {
    wall: 'a switch with a hole',
    rule: '@typescript-eslint/switch-exhaustiveness-check',
    code: "export function pick(value: 'a' | 'b'): number {\n  switch (value) {\n    case 'a':\n      return 1\n  }\n  return 2\n}\n",
  },
  {
    wall: 'a thrown text',
    rule: '@typescript-eslint/only-throw-error',
    code: "export const fail = (): never => { throw 'no' }\n",
  },
  {
    wall: 'a catch that forgets the cause',
    rule: 'preserve-caught-error',
    code: "export function run(go: () => void): void {\n  try {\n    go()\n  } catch (error) {\n    throw new Error('failed')\n  }\n}\n",
  },
  {
    wall: 'an empty catch',
    rule: 'no-empty',
    code: 'export function run(go: () => void): void {\n  try {\n    go()\n  } catch {}\n}\n',
  },
  {
    wall: 'a silenced compiler',
    rule: '@typescript-eslint/ban-ts-comment',
    code: '// @ts-ignore\nexport const one: string = 1\n',
  },
  {
    wall: 'a disabled rule that needs no disabling',
    rule: 'null',
    code: '// eslint-disable-next-line no-eval\nexport const one = 1\n',
  },
  { wall: 'a file of 501 lines', rule: 'max-lines', code: lines(501, 'void 0') },
  {
    wall: 'a function of 71 lines',
    rule: 'max-lines-per-function',
    code: `export function long(): void {\n${lines(70, '  void 0')}}\n`,
  },
  {
    wall: 'five parameters',
    rule: 'max-params',
    code: 'export const add = (a: number, b: number, c: number, d: number, e: number): number => a + b + c + d + e\n',
  },
  {
    wall: 'seventeen branches',
    rule: 'complexity',
    code: `export function branch(n: number): number {\n${Array.from({ length: 16 }, (_, at) => `  if (n === ${at}) return ${at * 2}`).join('\n')}\n  return n\n}\n`,
  },
]

const pathOf = (breach: Breach, at: number): string => `${breach.room ?? 'src/broker'}/planted-breach-${at}.ts`

interface Finding {
  readonly ruleId: string | null
  readonly line: number
  readonly message: string
}

describe('globals, waiting, types, sizes', () => {
  let tree: PlantedTree
  const found = new Map<string, readonly Finding[]>()

  beforeAll(async () => {
    tree = copyOfTree()
    tree.plantIfAbsent('src/broker/core/index.ts', 'export const door = 1\n')
    const planted = breaches.map(pathOf)
    breaches.forEach((breach, at) => {
      tree.plant(pathOf(breach, at), breach.code)
    })
    planted.push('src/groups/core/planted-assert.ts')
    tree.plant('src/groups/core/planted-assert.ts', assertThatThrows)
    const all = [...timeAndChance, ...processAndConsole]
    for (const room of [...roomsWithoutGlobals, 'src/base/node', 'src/cli']) {
      planted.push(`${room}/planted-globals.ts`)
      tree.plant(`${room}/planted-globals.ts`, usingGlobals(all))
    }
    const { stdout } = await tree.run('eslint/bin/eslint.js', ['--format', 'json', ...planted])
    for (const { filePath, messages } of JSON.parse(stdout) as Array<{ filePath: string; messages: Finding[] }>) {
      found.set(filePath.slice(tree.dir.length + 1), messages)
    }
  })
  afterAll(() => {
    tree.remove()
  })

  const bannedIn = (room: string): string[] =>
    (found.get(`${room}/planted-globals.ts`) ?? [])
      .filter(({ ruleId }) => ruleId === 'no-restricted-globals')
      .map(({ line }) => [...timeAndChance, ...processAndConsole][line - 1]!)

  test.each(roomsWithoutGlobals)('every banned global is found in %s', (room) => {
    expect(bannedIn(room)).toEqual([...timeAndChance, ...processAndConsole])
  })

  test('base/node may use them, and the command line may talk and read argv but not tell the time', () => {
    expect(bannedIn('src/base/node')).toEqual([])
    expect(bannedIn('src/cli')).toEqual(timeAndChance)
  })

  test.each(breaches.map((breach, at) => ({ ...breach, file: pathOf(breach, at) })))('$wall: found', ({ file, rule }) => {
    expect((found.get(file) ?? []).map(({ ruleId }) => String(ruleId))).toContain(rule)
  })

  test('an assert may throw in a core', () => {
    expect(found.get('src/groups/core/planted-assert.ts')).toEqual([])
  })
})

describe('the compiler and the formatter', () => {
  let tree: PlantedTree
  beforeAll(() => {
    tree = copyOfTree()
  })
  afterAll(() => {
    tree.remove()
  })

  test('a pure room that asks the platform does not compile', async () => {
    const asks = ['Buffer', 'process', 'setTimeout', 'console', 'performance', 'fetch', 'URL']
    for (const room of ['src/base', 'src/model', 'src/protocol/codec', 'src/raft/core', 'tiers/wal/core', 'recovery/core']) {
      tree.plant(`${room}/planted-platform.ts`, usingGlobals(asks))
    }
    const { stdout } = await tree.run('typescript/bin/tsc', ['-p', 'infra/house/tsconfig.pure.json', '--pretty', 'false'])
    for (const room of ['src/base', 'src/model', 'src/protocol/codec', 'src/raft/core', 'tiers/wal/core', 'recovery/core']) {
      const linesFound = [...stdout.matchAll(new RegExp(`^${room}/planted-platform\\.ts\\((\\d+),`, 'gm'))].map(([, line]) =>
        Number(line),
      )
      expect(linesFound, room).toEqual(asks.map((_, at) => at + 1))
    }
  })

  test('the strictness of the compiler is what it was', async () => {
    const strict: ReadonlyArray<readonly [string, string]> = [
      ['TS2322', 'export const first = (xs: readonly number[]): number => xs[0]\n'],
      ['TS7006', 'export const same = (x) => x as unknown\n'],
      ['TS6133', 'const unused = 1\n'],
      ['TS2375', 'export const part: { a?: number } = { a: undefined }\n'],
      ['TS1294', 'export enum Colour { red }\n'],
      ['TS1484', "import { Log } from '../base/log.ts'\nexport type Same = Log\n"],
      ['TS4114', 'class A { run() { return 1 } }\nexport class B extends A { run() { return 2 } }\n'],
    ]
    strict.forEach(([, code], at) => {
      tree.plant(`src/strict/planted-${at}.ts`, code)
    })
    const config = { extends: './tsconfig.json', include: ['src/strict'] }
    tree.plant('tsconfig.strict.json', JSON.stringify(config))
    const { stdout } = await tree.run('typescript/bin/tsc', ['-p', 'tsconfig.strict.json', '--pretty', 'false'])
    for (const [at, [code]] of strict.entries()) {
      expect(stdout.split('\n').find((line) => line.startsWith(`src/strict/planted-${at}.ts`))).toContain(code)
    }
  })

  test('a badly formatted file is found', async () => {
    tree.plant('src/broker/planted-format.ts', 'export const  a = {b:1};\n')
    expect((await tree.run('prettier/bin/prettier.cjs', ['--check', 'src/broker/planted-format.ts'])).exitCode).toBe(1)
  })

  test('a changed generated file is found', async () => {
    expect((await tree.runScript('infra/codegen/generate.mjs', ['--check'])).exitCode).toBe(0)
    const [generated] = typescriptFiles(tree.dir, ['src/protocol/generated'])
    appendFileSync(join(tree.dir, generated!), 'export const planted = 1\n')
    expect((await tree.runScript('infra/codegen/generate.mjs', ['--check'])).exitCode).toBe(1)
  })
})

describe('no tool passes by not looking', () => {
  const house = typescriptFiles(root, ['src', 'tiers', 'recovery', 'localstack', 'test'])
  const generated = (path: string): boolean => path.startsWith('src/protocol/generated/')

  test('eslint lints every file, with its main rules on', async () => {
    const eslint = new ESLint({ cwd: root })
    for (const path of house) {
      expect(await eslint.isPathIgnored(path), path).toBe(false)
      const { rules } = (await eslint.calculateConfigForFile(join(root, path))) as { rules: Record<string, [number]> }
      if (!generated(path)) expect(rules['@typescript-eslint/no-floating-promises']?.[0], path).toBe(2)
      else expect(rules['no-restricted-syntax']?.[0], path).toBe(2)
      expect(rules['@typescript-eslint/no-explicit-any']?.[0], path).toBe(2)
    }
  })

  test('the compiler compiles every file', async () => {
    const tree = copyOfTree()
    const { stdout } = await tree.run('typescript/bin/tsc', ['-p', join(root, 'tsconfig.json'), '--listFilesOnly'])
    tree.remove()
    const seen = new Set(stdout.split('\n'))
    expect(house.filter((path) => !seen.has(join(root, path)) && existsSync(join(root, path)))).toEqual([])
  })

  test('prettier formats every file that no tool made', async () => {
    const ignored: string[] = []
    for (const path of house) {
      const info = await getFileInfo(join(root, path), { ignorePath: join(root, '.prettierignore') })
      if (info.ignored && !generated(path) && !path.startsWith('test/golden/') && !path.startsWith('test/format/'))
        ignored.push(path)
    }
    expect(ignored).toEqual([])
  })
})
