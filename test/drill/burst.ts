/**
 * Owns producing up to the very moment of a kill: one producer per partition that sends its next batch when the last is acknowledged,
 * and remembers every acknowledgement with its time. A group commits the ends it has seen, so that recovery has offsets to set back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Acknowledged, Durability } from '../../recovery/drill/core/index.ts'
import { crcOf } from '../../src/protocol/index.ts'
import { commitOffset, handMadeBatch, produceBatch } from './witnesses.ts'
import { mustBeFine, WireClient } from './wire/wire-client.ts'

export const burstTopics: Readonly<Record<Durability, string>> = { quorum: 'burst.quorum', bucket: 'burst.bucket' }
export const burstPartitions = 2
export const burstGroup = 'drill-burst'

const recordsPerBatch = 10
const commitEveryMs = 50

export interface Burst {
  readonly acknowledged: readonly Acknowledged[]
  readonly killedAtMs: number
}

export interface BurstOrder {
  readonly port: number
  /** Which topics are written. While one with `bucket` durability is, all that is acknowledged goes to the bucket with it, early. */
  readonly durabilities: readonly Durability[]
  readonly durationMs: number
  readonly kill: () => Promise<unknown>
}

/** Runs for about `durationMs`, then calls `kill` in the midst of it. */
export async function burst({ port, durabilities, durationMs, kill }: BurstOrder): Promise<Burst> {
  const acknowledged: Acknowledged[] = []
  const ends = new Map<string, number>()
  let killedAtMs = Number.POSITIVE_INFINITY
  const isOver = (): boolean => killedAtMs !== Number.POSITIVE_INFINITY

  const writer = async (durability: Durability, partition: number): Promise<void> => {
    const topic = burstTopics[durability]
    const wire = await WireClient.connect(port)
    for (let number = 0; !isOver(); number += 1) {
      const text = `${topic}-${partition} batch ${number}`
      const batch = handMadeBatch({ records: recordsPerBatch, text, timestampMs: Date.now() })
      const { errorCode, baseOffset } = await produceBatch(wire, topic, partition, batch)
      mustBeFine(errorCode, text)
      const crc = crcOf(batch, 0) >>> 0
      acknowledged.push({ topic, partition, durability, baseOffset, records: recordsPerBatch, crc, atMs: performance.now() })
      if (partition === 0) ends.set(topic, baseOffset + recordsPerBatch)
      // A hundred batches a second are enough to see a window of tens of milliseconds.
      await pause(10)
    }
  }

  const committer = async (): Promise<void> => {
    const wire = await WireClient.connect(port)
    while (!isOver()) {
      for (const [topic, offset] of ends)
        mustBeFine(await commitOffset(wire, { group: burstGroup, topic, offset, note: '' }), 'commit')
      await pause(commitEveryMs)
    }
  }

  // Whoever is in the middle of a request when the broker dies fails, and only then may.
  const untilKilled = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      if (!isOver()) throw error
    })
  const workers = durabilities.flatMap((durability) =>
    Array.from({ length: burstPartitions }, (_, partition) => untilKilled(writer(durability, partition))),
  )
  const all = Promise.all([...workers, untilKilled(committer())])
  await Promise.race([pause(durationMs), all])
  killedAtMs = performance.now()
  await kill()
  await all
  return { acknowledged, killedAtMs }
}
