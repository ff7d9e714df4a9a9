/** The handle of the broker, tried on a stand-in: what drills rely on must not depend on the broker being right. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSameProcessAlive } from '../../../localstack/index.ts'
import { startBroker } from './broker.ts'
import { processUsage } from './process-usage.ts'

const lives = (dir: string): string[] => readFileSync(join(dir, 'lives'), 'utf8').trim().split('\n')

describe('the broker’s handle', () => {
  let before: string | undefined
  beforeAll(() => {
    before = process.env['CHRONIK_PROGRAM']
    process.env['CHRONIK_PROGRAM'] = join(import.meta.dirname, 'fake-program.mjs')
  })
  afterAll(() => {
    if (before === undefined) delete process.env['CHRONIK_PROGRAM']
    else process.env['CHRONIK_PROGRAM'] = before
  })

  it('starts, kills, restarts on the same ports and disk, and ends', async () => {
    const broker = await startBroker()
    const { kafkaPort, dir } = broker
    try {
      expect(broker.startMs()).toBeGreaterThan(0)
      const first = broker.pid()
      expect(await broker.kill9()).toEqual({ code: null, signal: 'SIGKILL' })
      expect(isSameProcessAlive(first, undefined)).toBe(false)
      await broker.restart()
      expect(broker.kafkaPort).toBe(kafkaPort)
      expect(lives(dir)).toEqual([String(first), String(broker.pid())])
      expect(await broker.sigterm()).toEqual({ code: 0, signal: null })
    } finally {
      await broker.stop()
    }
    expect(existsSync(dir)).toBe(false)
  })

  it('wipes the disk of a broker that is dead, never of one that runs, and leaves the bucket', async () => {
    const broker = await startBroker()
    try {
      expect(() => broker.wipeDisk()).toThrow('running')
      await broker.kill9()
      broker.wipeDisk()
      expect(existsSync(join(broker.dir, 'lives'))).toBe(false)
      expect(broker.store.kind === 'local' && existsSync(broker.store.dir)).toBe(true)
      await broker.restart()
      expect(lives(broker.dir)).toEqual([String(broker.pid())])
    } finally {
      await broker.stop()
    }
  })

  it('holds a broker still and lets it go on', async () => {
    const broker = await startBroker()
    try {
      broker.sigstop()
      await expect(broker.waitReady(1_500)).rejects.toThrow('in vain')
      broker.sigcont()
      await broker.waitReady()
      expect(processUsage(broker.pid()).residentBytesMax).toBeGreaterThan(10e6)
    } finally {
      await broker.stop()
    }
  })

  it('tells a broker that ends at once from one that is slow, with its last words', async () => {
    await expect(startBroker({ extra: ['--fail'] })).rejects.toThrow(/code 7[\s\S]*told to fail/)
  })

  it('hands an S3 store over', async () => {
    const store = { kind: 's3', endpoint: 'http://127.0.0.1:1', bucket: 'b-1', accessKey: 'a', secretKey: 's' } as const
    const broker = await startBroker({ store })
    expect(broker.logs()).toContain('{"store":"s3","bucket":"b-1"}')
    await broker.stop()
  })
})
