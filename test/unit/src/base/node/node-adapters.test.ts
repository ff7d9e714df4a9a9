// The adapters of base/node against the real Node: clock, ids, log, progress, signals.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../../../src/base/clock.ts'
import { LogLevels } from '../../../../../src/base/log-levels.ts'
import { levelNamed, pinoLog } from '../../../../../src/base/node/pino-log.ts'
import { onStopSignal } from '../../../../../src/base/node/process-signals.ts'
import { progressOn } from '../../../../../src/base/node/progress.ts'
import { systemClock } from '../../../../../src/base/node/system-clock.ts'
import { systemIdSource, systemPrng } from '../../../../../src/base/node/system-id-source.ts'

describe('the system clock', () => {
  test('calls back not before the delay, never after a cancel, and once per turn', async () => {
    const startedAtMs = systemClock.monotonicMs()
    const heard: string[] = []
    const cancel = systemClock.after(1, () => heard.push('cancelled'))
    cancel()
    cancel()
    await new Promise<void>((resolve) => {
      systemClock.after(20, resolve)
    })
    await new Promise<void>((resolve) => {
      systemClock.afterTurn(resolve)
    })
    expect(systemClock.monotonicMs() - startedAtMs).toBeGreaterThanOrEqual(19)
    expect(heard).toEqual([])
    expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1000)
  })
})

test('ids are 16 bytes and fresh; two generators differ', () => {
  const ids = Array.from({ length: 1000 }, () => Buffer.from(systemIdSource.nextId()).toString('hex'))
  expect(new Set(ids).size).toBe(1000)
  expect(ids[0]).toHaveLength(32)
  expect(systemPrng().next()).not.toBe(systemPrng().next())
})

describe('the log', () => {
  const logged = (format: 'json' | 'text', level: 'debug' | 'info' = 'info') => {
    const lines: string[] = []
    return { lines, log: pinoLog({ levels: new LogLevels(levelNamed(level)), format, write: (line) => lines.push(line) }) }
  }

  test('JSON: one object a line, with level, message, time and all fields, inherited ones too', () => {
    const { lines, log } = logged('json')
    log.with({ node: 1 }).with({ topic: 'orders' }).warn('slow', { tookMs: 12 })
    log.debug('not shown')
    expect(lines).toHaveLength(1)
    const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>
    expect(rest).toEqual({ level: 'warn', msg: 'slow', node: 1, topic: 'orders', tookMs: 12 })
    expect(time).toMatch(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/)
    expect(lines[0]!.endsWith('\n')).toBe(true)
  })

  test('an error keeps its stack and the causes behind it', () => {
    const { lines, log } = logged('json')
    log.error('failed', { error: new Error('outer', { cause: new Error('inner') }) })
    const { error } = JSON.parse(lines[0]!) as { error: { message: string; stack: string; cause: { message: string } } }
    expect([error.message, error.cause.message]).toEqual(['outer', 'inner'])
    expect(error.stack).toContain('node-adapters.test')
  })

  test('a named logger is written by its own level, else by the root’s, and both may change', () => {
    const lines: string[] = []
    const levels = new LogLevels('INFO')
    const log = pinoLog({ levels, format: 'json', write: (line) => lines.push(line) })
    const groups = log.named('groups').with({ node: 1 })
    const said = (): unknown[] => lines.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg)
    const say = (): void => {
      groups.debug('groups')
      log.debug('root')
      log.error('last')
    }
    say()
    expect(said()).toEqual(['last'])
    levels.replace(new Map([['groups', 'DEBUG']]))
    say()
    expect(said()).toEqual(['groups', 'last'])
    levels.replace(new Map([['root', 'TRACE'], ['groups', 'WARN']])) // prettier-ignore
    say()
    expect(said()).toEqual(['root', 'last'])
    levels.replace(new Map([['root', 'FATAL']]))
    say()
    expect(said()).toEqual([])
    levels.replace(new Map())
    groups.info('again')
    expect(JSON.parse(lines[0]!)).toMatchObject({ logger: 'groups', node: 1, msg: 'again' })
    expect(levels.names()).toEqual(['groups', 'root'])
  })

  test('text: one line for a person', () => {
    const { lines, log } = logged('text', 'debug')
    log.debug('ready', { port: 9092, bucket: 'local:/x' })
    log.info('plain')
    expect(lines[0]).toMatch(/^\S+Z DEBUG ready {2}port=9092 bucket=local:\/x\n$/)
    expect(lines[1]).toMatch(/^\S+Z INFO {2}plain\n$/)
  })
})

describe('progress', () => {
  const manualClock = (): Clock & { now: number } => ({
    now: 0,
    nowMs: () => 0,
    monotonicMs() {
      return this.now
    },
    after: () => () => undefined,
    afterTurn: () => undefined,
  })

  test('a pipe hears nothing', () => {
    const heard: string[] = []
    const progress = progressOn({ isTerminal: false, error: (text) => heard.push(text) }, 'verifying', manualClock())
    progress.update(1, 10)
    progress.end()
    expect(heard).toEqual([])
  })

  test('a terminal sees at most ten lines a second, and a clear line at the end', () => {
    const heard: string[] = []
    const clock = manualClock()
    const progress = progressOn({ isTerminal: true, error: (text) => heard.push(text) }, 'verifying', clock)
    for (let step = 0; step <= 200; step += 1) {
      clock.now = step
      progress.update(step, 200)
    }
    progress.update(7, 0)
    progress.end()
    expect(heard).toEqual([
      '\r\u001b[Kverifying 0/200 0 %',
      '\r\u001b[Kverifying 100/200 50 %',
      '\r\u001b[Kverifying 200/200 100 %',
      '\r\u001b[K',
    ])
  })
})

describe('signals', () => {
  test('a stop signal is heard until cancelled', () => {
    const before = process.listenerCount('SIGTERM')
    const heard: string[] = []
    const cancel = onStopSignal((signal) => heard.push(signal))
    process.emit('SIGTERM', 'SIGTERM')
    process.emit('SIGINT', 'SIGINT')
    cancel()
    expect(heard).toEqual(['SIGTERM', 'SIGINT'])
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })

  test('an error nobody handled reaches the report with its causes', async () => {
    // In a process of its own: the test runner listens for such errors itself.
    const contents = `
      import { onFatal } from './src/base/node/process-signals.ts'
      onFatal((report) => { process.stdout.write(report); process.exit(4) })
      void Promise.reject(new Error('outer', { cause: new Error('inner') }))`
    const resolveDir = join(import.meta.dirname, '../../../../..')
    const built = buildSync({
      stdin: { contents, resolveDir, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
    })
    const ended = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '-e', built.outputFiles[0]!.text], (error, stdout) => {
        resolve({ code: error?.code, stdout })
      })
    })
    expect(ended.code).toBe(4)
    expect(ended.stdout).toMatch(/^Error: outer[^]*caused by Error: inner/)
  })
})
