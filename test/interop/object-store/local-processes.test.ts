// Owns the tests of the local store between real processes: crashes in the middle of writes, races, a lock whose holder is stopped or
// killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openLocalStore } from '../../../tiers/object-store/local.ts'

// Below node_modules, so that the bundle finds the packages it leaves out.
const bundleFolder = resolve('node_modules/.cache', `chronik-local-child-${process.pid}`)
const bundle = join(bundleFolder, 'child.mjs')
const children = new Set<ChildProcess>()
const at = { dir: '' }

beforeAll(async () => {
  mkdirSync(bundleFolder, { recursive: true })
  const entry = new URL('local-child.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
})
afterAll(() => {
  rmSync(bundleFolder, { recursive: true })
})
beforeEach(() => {
  at.dir = mkdtempSync(join(tmpdir(), 'chronik-local-'))
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  rmSync(at.dir, { recursive: true, force: true })
})

interface Child {
  readonly process: ChildProcess
  readonly lines: string[]
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>
  /** Resolves when so many lines came. */
  said(lines: number): Promise<void>
  kill9(): Promise<void>
}

function start(role: string, id = ''): Child {
  const child = spawn(process.execPath, [bundle, at.dir, role, id], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  const lines: string[] = []
  let rest = ''
  const waiting: { readonly lines: number; readonly go: () => void }[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    const split = (rest + chunk.toString()).split('\n')
    rest = split.pop() ?? ''
    lines.push(...split)
    for (const one of waiting) if (lines.length >= one.lines) one.go()
  })
  const ended = new Promise<number | null>((done) => child.once('close', done))
  return {
    process: child,
    lines,
    ended,
    said: (count) =>
      new Promise((go) => {
        if (lines.length >= count) go()
        else waiting.push({ lines: count, go })
      }),
    kill9: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

const pause = (ms: number): Promise<void> => new Promise((go) => setTimeout(go, ms))

test('a process killed in the middle of writes leaves whole objects, and every one it was answered for', async () => {
  let sweptFiles = 0
  for (let round = 0; round < 6; round += 1) {
    const child = start('write', String(round))
    await child.said(3 + round)
    await pause(round * 3)
    await child.kill9()
    const leftOver = readdirSync(join(at.dir, '.chronik', 'tmp'), { recursive: true }).length
    const store = await openLocalStore(at)
    sweptFiles += leftOver
    expect(readdirSync(join(at.dir, '.chronik', 'tmp')).length).toBe(1)
    const present = new Set<string>()
    for await (const { key, sizeBytes } of store.list('')) {
      const bytes = await store.get(key)
      expect([key, sizeBytes, bytes.length]).toEqual([key, 1024 * 1024, 1024 * 1024])
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true)
      present.add(key)
    }
    for (const n of child.lines) expect(present).toContain(`w/${round}/${n}`)
    await store.close()
  }
  expect(sweptFiles).toBeGreaterThan(0)
})

test('of two processes that create the same 150 objects each is created by exactly one', async () => {
  const [a, b] = [start('create', 'a'), start('create', 'b')]
  await Promise.all([a.said(1), b.said(1)])
  for (const { process: child } of [a, b]) child.stdin?.write('go\n')
  expect(await Promise.all([a.ended, b.ended])).toEqual([0, 0])
  const created = [...a.lines.slice(1), ...b.lines.slice(1)].map(Number).sort((x, y) => x - y)
  expect(created).toEqual(Array.from({ length: 150 }, (_, n) => n))
  const store = await openLocalStore(at)
  for (const n of a.lines.slice(1)) expect(Buffer.from(await store.get(`race/${n}`)).toString()).toBe('a')
  await store.close()
})

test('three processes raise one counter and lose no step', async () => {
  const store = await openLocalStore(at)
  await store.put('counter', [Buffer.from('0')])
  const raisers = [start('raise'), start('raise'), start('raise')]
  expect(await Promise.all(raisers.map(({ ended }) => ended))).toEqual([0, 0, 0])
  expect(Buffer.from(await store.get('counter')).toString()).toBe('120')
  expect(readdirSync(join(at.dir, '.chronik', 'lock'))).toEqual([])
  await store.close()
})

test('a lock dies with its holder, and is not taken from one that only stands still', async () => {
  const store = await openLocalStore(at)
  const holder = start('hold')
  await holder.said(1)
  holder.process.kill('SIGSTOP')
  const state = { done: false }
  const put = store.put('a', [Buffer.from('x')]).finally(() => {
    state.done = true
  })
  expect((await store.putIfAbsent('b', [])).kind).toBe('created')
  await pause(300)
  expect(state.done).toBe(false)
  await holder.kill9()
  expect((await put).etag).not.toBe('')
  await store.close()
})

test('a store that opens does not sweep what a living process is writing', async () => {
  const writer = start('upload')
  await writer.said(1)
  const store = await openLocalStore(at)
  await expect(store.head('upload')).rejects.toMatchObject({ kind: 'missing' })
  writer.process.stdin?.write('go\n')
  expect(await writer.ended).toBe(0)
  expect(writer.lines).toEqual(['half', 'created'])
  expect((await store.head('upload')).sizeBytes).toBe(2 * 1024 * 1024)
  await store.close()
})

test('a folder whose path is too long for a socket still locks', async () => {
  const deep = join(at.dir, 'deep'.repeat(20), 'deeper'.repeat(20))
  const store = await openLocalStore({ dir: deep })
  const other = await openLocalStore({ dir: deep })
  const { etag } = await store.put('a', [Buffer.from('1')])
  const outcomes = await Promise.all(
    [1, 2, 3, 4].map((n) => (n % 2 ? store : other).putIfMatch('a', [Buffer.from(`by ${n}`)], etag)),
  )
  expect(outcomes.filter(({ kind }) => kind === 'replaced').length).toBe(1)
  await store.close()
  await other.close()
})

test('a key may be a folder of another here, and what others put into the folder is not listed', async () => {
  const store = await openLocalStore(at)
  await store.put('a', [Buffer.from('object')])
  await store.put('a/b', [Buffer.from('below')])
  await store.put('a.txt', [Buffer.from('dotted')])
  await store.put('a.txt/b', [Buffer.from('below a dot')])
  const keys: string[] = []
  mkdirSync(join(at.dir, 'foreign.folder'))
  for await (const { key } of store.list('')) keys.push(key)
  expect(keys).toEqual(['a', 'a.txt', 'a.txt/b', 'a/b'])
  expect(readdirSync(at.dir).sort()).toEqual(['.chronik', 'a', 'a%2Etxt', 'a.object', 'a.txt', 'foreign.folder'])
  await store.close()
  await expect(store.get('a')).rejects.toMatchObject({ kind: 'closed' })
})

test('a folder removed behind the store’s back is made again', async () => {
  const store = await openLocalStore(at)
  await store.put('x/y/1', [])
  rmSync(join(at.dir, 'x'), { recursive: true })
  expect((await store.putIfAbsent('x/y/2', [])).kind).toBe('created')
  expect((await store.head('x/y/2')).sizeBytes).toBe(0)
  await store.close()
})
