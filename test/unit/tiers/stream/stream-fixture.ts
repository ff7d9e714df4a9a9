// Owns a streamer with an owner that writes down what it is told, for tests.

import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { groupNumber, leaderEpoch, logIndex, topicId } from '../../../../src/model/ids.ts'
import { type FaultyStore, faultyStore } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import { type PendingEntry, type StreamedObject, Streamer, type StreamerOptions } from '../../../../tiers/stream/index.ts'
import { testBatch } from '../../../support/batches.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

export const prefix = 'wal/0000000001/0000000001/'
export const topics = [topicId('AAECAwQFBgcICQoLDA0ODw'), topicId('AAECAwQFBgcICQoLDA0OEA')] as const

export interface StreamWorld {
  readonly clock: ManualClock
  readonly bucket: ObjectStore
  readonly store: FaultyStore
  readonly streamer: Streamer
  readonly told: StreamedObject[]
  readonly ended: unknown[]
  /** What the WAL would give back. */
  readonly payloads: Map<number, Uint8Array>
  reads: number
  /** The next entry of a group: one batch of a record. */
  batch(group: number, bodyBytes?: number): PendingEntry
  control(group: number, bytes: Uint8Array): PendingEntry
}

export function streamWorld(change: Partial<StreamerOptions> & { readonly bucket?: ObjectStore } = {}): StreamWorld {
  const clock = new ManualClock()
  const bucket = change.bucket ?? memoryStore({ clock })
  const store = faultyStore(bucket, { clock })
  const told: StreamedObject[] = []
  const ended: unknown[] = []
  const payloads = new Map<number, Uint8Array>()
  const ends = new Map<number, { index: number; offset: number }>()
  let at = 4096
  const next = (group: number, kind: PendingEntry['kind'], payload: Uint8Array, index: number): PendingEntry => {
    const position = { file: 1 + Math.floor(at / 100_000), at, length: payload.length }
    payloads.set(at, payload)
    at += payload.length + 32
    return { group: groupNumber(group), term: leaderEpoch(3), index: logIndex(index), kind, position, payload }
  }
  const endOf = (group: number): { index: number; offset: number } => {
    const end = ends.get(group) ?? { index: 0, offset: 0 }
    ends.set(group, end)
    end.index += 1
    return end
  }
  const streamer = new Streamer({
    store,
    prefix,
    nextSequence: 0,
    origin: { life: 1, node: 1, term: leaderEpoch(3) },
    owner: {
      identityOf: (group) => ({ topicId: topics[group % 2] ?? topics[0], partition: group }),
      readPayload: (position) => {
        world.reads += 1
        const payload = payloads.get(position.at)
        return payload === undefined ? Promise.reject(new Error('not in the WAL')) : Promise.resolve(payload)
      },
      onStreamed: (object) => {
        told.push(object)
      },
      onEnded: (error) => {
        ended.push(error)
      },
    },
    clock,
    crc32c,
    log: silentLog,
    intervalMs: 1000,
    urgentIntervalMs: 100,
    objectBytesMax: 10_000,
    uploadsInFlightMax: 3,
    ...change,
  })
  const world: StreamWorld = {
    ...{ clock, bucket, store, streamer, told, ended, payloads },
    reads: 0,
    batch: (group, bodyBytes = 10) => {
      const end = endOf(group)
      const payload = testBatch({ baseOffset: end.offset, leaderEpoch: 3, body: new Uint8Array(bodyBytes).fill(group) })
      end.offset += 1
      return next(group, 'batch', payload, end.index)
    },
    control: (group, bytes) => next(group, 'control', bytes, endOf(group).index),
  }
  return world
}
