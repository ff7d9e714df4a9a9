// Owns the WAL on a real disk: processes killed in the middle, a file system without space, two processes at one directory.

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { build } from 'esbuild'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { inspectWal, nodeWalFiles } from '../../../tiers/wal/index.ts'
import { entryOf, lineOf, openTestWal } from '../../unit/tiers/wal/wal-fixture.ts'
import { appendedEntry } from './appender.ts'

const repository = new URL('../../..', import.meta.url).pathname
const cacheFolder = join(repository, 'node_modules', '.cache', 'chronik')
const bundle = join(cacheFolder, `wal-appender.${process.pid}.mjs`)
const fileBytes = 4 * 1024 * 1024
let root = ''

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'chronik-wal-'))
  mkdirSync(cacheFolder, { recursive: true })
  const entry = join(repository, 'test/contract/wal/appender.ts')
  await build({ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
})

afterAll(() => {
  rmSync(root, { recursive: true, force: true })
  rmSync(bundle, { force: true })
})

interface Killed {
  /** The last index that the process found when it opened, … */
  readonly found: number
  /** … and the last it was told to be durable. */
  readonly durable: number
}

/** Runs the appender until `killAfterMs` after it opened, then kill -9. */
function appendAndKill(directory: string, killAfterMs: number): Promise<Killed> {
  return new Promise((resolve, reject) => {
    const code = `import(${JSON.stringify(bundle)}).then((module) => module.appendForever(${JSON.stringify(directory)}))`
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let complaints = ''
    let armed = false
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (armed || !output.includes('\n')) return
      armed = true
      setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    })
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
    child.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') {
        reject(new Error(`the appender ended by itself: ${complaints}`))
        return
      }
      // The last line may have been cut off by the kill.
      const lines = output.split('\n').slice(0, -1)
      const highest = (word: string): number =>
        Math.max(0, ...lines.filter((line) => line.startsWith(word)).map((line) => Number(line.slice(word.length))))
      resolve({ found: highest('opened '), durable: highest('durable ') })
    })
  })
}

describe('a process killed in the middle', () => {
  it('has left every acknowledged entry, 20 times over', async () => {
    const directory = join(root, 'killed')
    const prng = seededPrng(20)
    let acknowledged = 0
    for (let life = 0; life < 20; life += 1) {
      const { found, durable } = await appendAndKill(directory, 20 + prng.below(250))
      expect(found).toBeGreaterThanOrEqual(acknowledged)
      acknowledged = Math.max(acknowledged, durable)
      // Every other time the next process takes over what the kill left, without a close in between.
      if (life % 2 === 0) continue
      let next: number | undefined
      const { wal, report } = await openTestWal(nodeWalFiles(directory), {
        fileBytes,
        budgetBytes: 256 * 1024 * 1024,
        onEntry: (entry) => {
          expect(entry.index).toBe(next ?? entry.index)
          expect(lineOf(entry)).toBe(lineOf(appendedEntry(entry.index)))
          next = entry.index + 1
        },
      })
      expect(report.corruptions).toEqual([])
      expect((next ?? 1) - 1).toBeGreaterThanOrEqual(acknowledged)
      await wal.close()
    }
    expect(acknowledged).toBeGreaterThan(1000)
  })
})

describe('two openings of one directory', () => {
  it('conflict, and the second is told who has it', async () => {
    const directory = join(root, 'locked')
    const { wal } = await openTestWal(nodeWalFiles(directory))
    await expect(openTestWal(nodeWalFiles(directory))).rejects.toMatchObject({ kind: 'busy', code: 'WAL_LOCKED' })
    await expect(openTestWal(nodeWalFiles(directory))).rejects.toThrow(`process ${process.pid} has the WAL`)
    await wal.close()
    await (await openTestWal(nodeWalFiles(directory))).wal.close()
  })

  it('succeed one after the other when the first left its lock behind', async () => {
    const directory = join(root, 'left')
    mkdirSync(join(directory, 'wal.owner-gone00'), { recursive: true })
    writeFileSync(join(directory, 'wal.lock'), '1\nwal.owner-gone00\n')
    await (await openTestWal(nodeWalFiles(directory))).wal.close()
  })

  it('work in a directory deeper than a socket name may be long', async () => {
    const directory = join(root, 'deep'.repeat(20), 'deep'.repeat(20))
    const { wal } = await openTestWal(nodeWalFiles(directory))
    await expect(openTestWal(nodeWalFiles(directory))).rejects.toMatchObject({ code: 'WAL_LOCKED' })
    await wal.close()
  })
})

function mountSmall(directory: string): boolean {
  mkdirSync(directory, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a full file system', () => {
  it('refuses appends with WAL_FULL, keeps what was acknowledged, and recovers when there is space', async (context) => {
    const directory = join(root, 'small')
    if (!mountSmall(directory)) {
      context.skip('mounting a file system needs root')
      return
    }
    try {
      writeFileSync(join(directory, 'ballast'), new Uint8Array(700 * 1024))
      const wals = nodeWalFiles(join(directory, 'wal'))
      const { wal, fatal } = await openTestWal(wals)
      let index = 0
      let refusal: unknown
      while (refusal === undefined) {
        try {
          wal.append(entryOf(index + 1, 15_000))
          index += 1
          await wal.durable()
        } catch (error) {
          refusal = error
        }
      }
      expect(refusal).toMatchObject({ kind: 'busy', code: 'WAL_FULL' })
      expect(fatal).toEqual([])
      rmSync(join(directory, 'ballast'))
      for (let tries = 0; tries < 100; tries += 1) {
        try {
          wal.append(entryOf(index + 1, 15_000))
          index += 1
          break
        } catch (error) {
          expect(error).toMatchObject({ code: 'WAL_FULL' })
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
      await wal.durable()
      await wal.close()
      const again = await openTestWal(wals)
      expect(again.entries.map((entry) => Number(entry.index))).toEqual(Array.from({ length: index }, (_, at) => at + 1))
      await again.wal.close()
    } finally {
      execFileSync('umount', [directory])
    }
  })
})

describe('inspection', () => {
  it('tells all that is in a directory while its owner has it open', async () => {
    const directory = join(root, 'inspected')
    const { wal } = await openTestWal(nodeWalFiles(directory))
    for (let index = 1; index <= 3; index += 1) wal.append(entryOf(index, 100))
    await wal.durable()
    const findings: string[] = []
    await inspectWal(nodeWalFiles(directory), crc32c, (finding) => findings.push(finding.kind))
    expect(findings.filter((kind) => kind !== 'unused')).toEqual(['file', 'commit', 'frame', 'frame', 'frame', 'end'])
    await wal.close()
  })
})
