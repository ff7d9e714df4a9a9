/** A full disk and a disk that fails, under a running broker: a small tmpfs of its own, and a limit on file sizes. Needs root on Linux. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { ErrorCode } from '../../src/protocol/index.ts'
import { startBroker } from '../support/tools/broker.ts'
import { createTopics, readPartition } from './support/requests.ts'
import { Wire } from './support/wire.ts'
import { quickSettings, scratchFolder } from './support/world.ts'
import { Writer } from './support/writer.ts'

const worldFailed = 3
const MiB = 1024 ** 2

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const scratch = scratchFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', scratch.dir], { stdio: 'ignore' })
    execFileSync('umount', [scratch.dir])
    return true
  } catch {
    // A container without the right to mount.
    return false
  } finally {
    scratch.remove()
  }
}

function smallDisk(dir: string, bytes: number): { readonly dir: string; fill(): void; free(): void; unmount(): void } {
  mkdirSync(dir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', dir])
  const ballast = join(dir, 'ballast')
  return {
    dir,
    fill: () => {
      const piece = Buffer.alloc(64 * 1024, 1)
      for (;;) {
        try {
          appendFileSync(ballast, piece)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
          throw error
        }
      }
    },
    free: () => {
      rmSync(ballast)
    },
    unmount: () => {
      execFileSync('umount', ['-l', dir])
    },
  }
}

async function readBack(port: number, topic: string): ReturnType<typeof readPartition> {
  const wire = await Wire.connect(port)
  try {
    return await readPartition(wire, topic, 0)
  } finally {
    wire.close()
  }
}

describe.skipIf(!canMount())('a disk in trouble', () => {
  it('a disk that fills up under load refuses writes until there is room, and loses nothing', { timeout: 120_000 }, async () => {
    const scratch = scratchFolder()
    const disk = smallDisk(join(scratch.dir, 'disk'), 16 * MiB)
    const broker = await startBroker({ dir: disk.dir, extra: quickSettings })
    try {
      await createTopics(broker.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'quorum' }])
      const writer = new Writer(broker.kafkaPort, 'kept', 50_000)
      await writer.write()
      disk.fill()
      let answer = await writer.write()
      while (answer.errorCode === ErrorCode.NONE) {
        // What is archived makes room again; the ballast takes that, too.
        disk.fill()
        answer = await writer.write(2_000)
      }
      expect([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REQUEST_TIMED_OUT]).toContain(answer.errorCode)
      const acknowledged = writer.count
      expect((await readBack(broker.kafkaPort, 'kept')).records.length).toBeGreaterThanOrEqual(acknowledged)
      disk.free()
      await waitUntil(async () => (await writer.write(2_000)).errorCode === ErrorCode.NONE, {
        until: 'writes to be taken again',
        timeoutMs: 30_000,
      })
      await broker.kill9()
      await broker.restart({ extra: quickSettings })
      expect(writer.compare((await readBack(broker.kafkaPort, 'kept')).records)).toEqual([])
    } finally {
      await broker.stop()
      disk.unmount()
      scratch.remove()
    }
  })

  it('a disk that is full at the start is named, and the start succeeds once there is room', { timeout: 120_000 }, async () => {
    const scratch = scratchFolder()
    const disk = smallDisk(join(scratch.dir, 'disk'), 16 * MiB)
    disk.fill()
    const broker = await startBroker({ dir: disk.dir, extra: quickSettings, dontWait: true })
    try {
      expect((await broker.exited()).code).toBe(worldFailed)
      expect(broker.logs()).toMatch(/no room|no space|ENOSPC/)
      expect(broker.logs()).not.toContain('a bug in Chronik')
      disk.free()
      await broker.restart({ extra: [...quickSettings, '--takeover', 'true'] })
      await createTopics(broker.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'quorum' }])
      expect((await new Writer(broker.kafkaPort, 'kept').write()).errorCode).toBe(ErrorCode.NONE)
    } finally {
      await broker.stop()
      disk.unmount()
      scratch.remove()
    }
  })

  it(
    'a WAL that cannot be written ends the node with the reason, and nothing acknowledged is lost',
    { timeout: 120_000 },
    async () => {
      const broker = await startBroker({ extra: quickSettings })
      try {
        await createTopics(broker.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'quorum' }])
        const writer = new Writer(broker.kafkaPort, 'kept', 50_000)
        for (let count = 0; count < 5; count += 1) expect((await writer.write()).errorCode).toBe(ErrorCode.NONE)
        // Every write beyond 300 KB of a file fails from here on, with EFBIG: to the WAL a disk that fails.
        execFileSync('prlimit', ['--pid', String(broker.pid()), '--fsize=300000'])
        const refused = await (async (): Promise<number> => {
          for (;;) {
            const { errorCode } = await writer.write().catch(() => ({ errorCode: -1 }))
            if (errorCode !== ErrorCode.NONE) return errorCode
          }
        })()
        // Told to look elsewhere, or the connection is closed.
        expect([-1, ErrorCode.NOT_LEADER_OR_FOLLOWER]).toContain(refused)
        expect((await broker.exited()).code).toBe(worldFailed)
        expect(broker.logs()).toMatch(/WAL_DEAD: a write or fsync in .* failed; .*Check the disk, then restart the node/)
        await broker.restart({ extra: quickSettings })
        await waitUntil(async () => (await writer.write()).errorCode === ErrorCode.NONE, {
          until: 'writes to be taken again',
          timeoutMs: 30_000,
        })
        expect(writer.compare((await readBack(broker.kafkaPort, 'kept')).records)).toEqual([])
      } finally {
        await broker.stop()
      }
    },
  )
})
