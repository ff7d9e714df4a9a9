// Owns what a partition makes of batches whose topic asks for more than their header tells: another codec, keys, bounds of time; and that
// appends keep their order while some of them are opened elsewhere.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BatchCompression, loadBatchCompression } from '../../../../src/base/node/compression.ts'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import type { AppendResult } from '../../../../src/broker/api.ts'
import { checkTopicConfig } from '../../../../src/broker/core/topic-settings.ts'
import { offset } from '../../../../src/model/ids.ts'
import {
  type BatchToEncode,
  type CompressionCodec,
  compressionOf,
  decodeRecords,
  encodeBatch,
  ErrorCode,
  isControlBatch,
  maxTimestampOf,
  openProduced,
  timestampTypeOf,
} from '../../../../src/protocol/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock, turns } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

let compression: BatchCompression
let clock: ManualClock
let node: TestNode
/** While set, openings wait until the test lets them go, in whatever order it likes. */
let held: Array<() => void> | undefined
let openings = 0
let openingFails: OpError | undefined

beforeAll(async () => {
  compression = await loadBatchCompression()
})
beforeEach(async () => {
  clock = new ManualClock()
  held = undefined
  openings = 0
  openingFails = undefined
  node = await startTestNode({
    store: memoryStore({ clock }),
    clock,
    openRecords: async (order) => {
      openings += 1
      if (held !== undefined) await new Promise<void>((resolve) => held!.push(resolve))
      if (openingFails !== undefined) throw openingFails
      return openProduced(order, { ...compression, crc32c })
    },
  })
})

interface Wanted extends Partial<Omit<BatchToEncode, 'records'>> {
  readonly values?: readonly string[]
  readonly key?: Uint8Array | null
  readonly times?: readonly number[]
}

function batchOf({ values = ['a'], key = Buffer.from('k'), times, ...fields }: Wanted): Uint8Array {
  const records = values.map((value, at) => ({
    offset: at,
    timestamp: times?.[at] ?? clock.nowMs(),
    key,
    value: Buffer.from(value),
    headers: [],
  }))
  return encodeBatch({ records, ...fields }, { crc32c, compress: compression.compress })
}

function send(topic: string, wanted: Wanted = {}, acks: -1 | 0 | 1 = -1): AppendResult[] {
  const answers: AppendResult[] = []
  node.partition(topic).append({ records: batchOf(wanted), acks }, (result) => answers.push(result))
  return answers
}

const sequenced = (baseSequence: number, compression: CompressionCodec = 'none'): Wanted => ({
  producerId: 9,
  producerEpoch: 0,
  baseSequence,
  compression,
  values: [`value ${baseSequence}`],
})

async function stored(topic: string): Promise<readonly Uint8Array[]> {
  const read = await node.partition(topic).read({ offset: offset(0), maxBytes: 1 << 20, minOneBatch: true })
  if (read.kind === 'error') throw new Error(`error ${read.errorCode}`)
  return read.batches
}

const valuesOf = (batches: readonly Uint8Array[]): string[] =>
  batches.flatMap((batch) => {
    const decoded = decodeRecords(batch, 0, compression.decompress)
    if (decoded.kind !== 'ok') throw new Error(decoded.detail)
    return decoded.records.map((record) => `${record.offset} ${Buffer.from(record.value!).toString()}`)
  })

const at = (baseOffset: number): unknown => expect.objectContaining({ kind: 'appended', baseOffset })

describe('compression.type', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed'] as const)(
    '%s packs what comes in another codec, and only that',
    async (type) => {
      await node.createTopic('t', 1, { 'compression.type': type })
      const own = type === 'uncompressed' ? 'none' : type
      const others = (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).filter((codec) => codec !== own)
      for (const codec of others) send('t', { compression: codec, values: ['x', codec] })
      await turns()
      expect(openings).toBe(others.length)
      const untouched = send('t', { compression: own, values: ['own'] })
      await turns()
      expect([openings, untouched]).toEqual([others.length, [at(2 * others.length)]])
      const batches = await stored('t')
      expect(batches.map((batch) => compressionOf(batch))).toEqual([...others, own].map(() => own))
      expect(valuesOf(batches)).toEqual([
        ...others.flatMap((codec, index) => [`${2 * index} x`, `${2 * index + 1} ${codec}`]),
        `${2 * others.length} own`,
      ])
    },
  )

  it('producer opens nothing, and a change of it holds for the next batch', async () => {
    await node.createTopic('t')
    send('t', { compression: 'lz4' })
    await turns()
    expect(openings).toBe(0)
    const set = (value: string): Promise<unknown> =>
      drive(
        clock,
        node.parts.broker.alterTopicConfigs(
          node.partition('t').topicId,
          () => ({ ok: true, value: new Map([['compression.type', value]]) }),
          false,
        ),
      )
    await set('zstd')
    send('t', { compression: 'lz4' })
    await turns()
    await set('producer')
    send('t', { compression: 'lz4' })
    await turns()
    expect((await stored('t')).map((batch) => compressionOf(batch))).toEqual(['lz4', 'zstd', 'lz4'])
  })

  it('asks for the size a batch came with and for the one it is stored with', async () => {
    await node.createTopic('t', 1, { 'compression.type': 'uncompressed', 'max.message.bytes': '1000' })
    const tooLarge = expect.objectContaining({ kind: 'error', errorCode: ErrorCode.MESSAGE_TOO_LARGE, recordErrors: [] })
    const zeros = send('t', { compression: 'gzip', values: ['0'.repeat(5000)] })
    const asSent = send('t', { values: ['0'.repeat(5000)] })
    await turns()
    expect([zeros, asSent]).toEqual([[tooLarge], [tooLarge]])
    expect(node.partition('t').logEndOffset).toBe(0)
  })

  it('takes every level Kafka knows, and no other', () => {
    const good: ReadonlyArray<readonly [string, string]> = [
      ...['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'].map((type) => ['compression.type', type] as const),
      ...['-1', '1', '9'].map((level) => ['compression.gzip.level', level] as const),
      ...['1', '17'].map((level) => ['compression.lz4.level', level] as const),
      ...['-131072', '0', '22'].map((level) => ['compression.zstd.level', level] as const),
    ]
    for (const [name, value] of good) expect(checkTopicConfig(name, value), `${name}=${value}`).toBeUndefined()
    const bad: ReadonlyArray<readonly [string, string]> = [
      ...['none', 'GZIP', 'brotli', ''].map((type) => ['compression.type', type] as const),
      ...['-2', '0', '10', 'fast'].map((level) => ['compression.gzip.level', level] as const),
      ...['0', '18', '-1'].map((level) => ['compression.lz4.level', level] as const),
      ...['-131073', '23'].map((level) => ['compression.zstd.level', level] as const),
    ]
    for (const [name, value] of bad) expect(checkTopicConfig(name, value), `${name}=${value}`).toContain(name)
  })
})

describe('appends', () => {
  beforeEach(async () => {
    await node.createTopic('t', 1, { 'compression.type': 'gzip' })
  })

  it('enter in the order they came, however long each is being opened', async () => {
    held = []
    const answers = [
      send('t', sequenced(0)),
      send('t', sequenced(1, 'gzip')),
      send('t', sequenced(2, 'zstd')),
      send('t', sequenced(3, 'gzip')),
    ]
    await turns()
    expect([held.length, answers]).toEqual([2, [[], [], [], []]])
    held[1]!()
    await turns()
    expect(answers).toEqual([[], [], [], []])
    held[0]!()
    await turns()
    expect(answers).toEqual([[at(0)], [at(1)], [at(2)], [at(3)]])
    expect(valuesOf(await stored('t'))).toEqual([0, 1, 2, 3].map((n) => `${n} value ${n}`))
  })

  it('sent again are answered as before, while the first is being opened and after it', async () => {
    held = []
    const first = send('t', sequenced(0))
    const again = send('t', sequenced(0))
    await turns()
    for (const release of held.splice(0)) release()
    held = undefined
    await turns()
    const later = send('t', sequenced(0))
    await turns()
    expect([first, again, later]).toEqual([[at(0)], [at(0)], [at(0)]])
    expect(node.partition('t').logEndOffset).toBe(1)
  })

  it('of a transaction come before the marker that ends it', async () => {
    held = []
    send('t', { ...sequenced(0), isTransactional: true })
    const marked: AppendResult[] = []
    const marker = { result: 'commit', producerId: 9, producerEpoch: 0, coordinatorEpoch: 0 } as const
    node.partition('t').appendMarker(marker, (result) => marked.push(result))
    await turns()
    expect(marked).toEqual([])
    held[0]!()
    await turns()
    expect(marked).toEqual([at(1)])
    expect((await stored('t')).map((batch) => isControlBatch(batch))).toEqual([false, true])
    expect(node.partition('t').lastStableOffset).toBe(2)
  })

  it('that cannot be opened are refused, and those behind them go on', async () => {
    openingFails = new OpError('closed', { code: 'NODE_ENDS', detail: 'the node ends' })
    const failed = send('t', {})
    const behind = send('t', { compression: 'gzip' })
    await turns()
    expect(failed).toEqual([expect.objectContaining({ kind: 'error', errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })])
    expect(behind).toEqual([at(0)])
  })

  it('that are being opened when their topic goes are told so', async () => {
    held = []
    const answers = [send('t', {}), send('t', { compression: 'gzip' })]
    await turns()
    await drive(clock, node.parts.broker.deleteTopic(node.partition('t').topicId))
    held[0]!()
    await turns()
    const gone = expect.objectContaining({ kind: 'error', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
    expect(answers).toEqual([[gone], [gone]])
  })

  it('with acks=0 are answered when they have entered', async () => {
    held = []
    const answers = send('t', {}, 0)
    await turns()
    expect(answers).toEqual([])
    held[0]!()
    await turns()
    expect(answers).toEqual([at(0)])
  })
})

describe('times', () => {
  const hourMs = 3_600_000
  const bounded = { 'message.timestamp.before.max.ms': String(hourMs), 'message.timestamp.after.max.ms': String(hourMs) }
  const untimely = (...batchIndices: number[]): unknown =>
    expect.objectContaining({
      kind: 'error',
      errorCode: ErrorCode.INVALID_TIMESTAMP,
      recordErrors: batchIndices.map((batchIndex) => ({
        batchIndex,
        message: expect.stringContaining('out of range') as unknown,
      })),
    })

  it('beyond the bounds are told record by record, packed or not', async () => {
    await node.createTopic('t', 1, bounded)
    const now = clock.nowMs()
    const times = [now, now + hourMs + 1, -1, now - hourMs - 1, now - hourMs, now + hourMs]
    for (const compression of ['none', 'gzip', 'lz4'] as const) {
      const answers = send('t', { compression, times, values: ['a', 'b', 'c', 'd', 'e', 'f'], maxTimestamp: now })
      await turns()
      expect(answers, compression).toEqual([untimely(1, 3)])
    }
    expect(node.partition('t').logEndOffset).toBe(0)
  })

  it('within the usual bounds are believed of a packed batch, and looked at where its header gives reason to', async () => {
    await node.createTopic('t')
    const now = clock.nowMs()
    send('t', { compression: 'gzip', times: [now] })
    await turns()
    expect(openings).toBe(0)
    const late = send('t', { compression: 'gzip', times: [now, now + 2 * hourMs], values: ['a', 'b'] })
    const claimed = send('t', { compression: 'gzip', times: [now], maxTimestamp: now + 2 * hourMs })
    await turns()
    expect([openings, late, claimed]).toEqual([2, [untimely(1)], [at(1)]])
    // The header of the last one promised what its record does not hold.
    expect((await stored('t')).map((batch) => maxTimestampOf(batch))).toEqual([now, now])
  })

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'of append hold for every record packed in %s, and are found again',
    async (codec) => {
      await node.createTopic('t', 1, { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'zstd' })
      clock.advance(1000)
      const answers = send('t', { compression: codec, times: [5, 2 ** 50, 7], values: ['a', 'b', 'c'] })
      await turns()
      const nowMs = clock.nowMs()
      expect(answers).toEqual([expect.objectContaining({ kind: 'appended', logAppendTimeMs: nowMs })])
      const [batch] = await stored('t')
      expect([timestampTypeOf(batch!), maxTimestampOf(batch!), compressionOf(batch!)]).toEqual(['LogAppendTime', nowMs, 'zstd'])
      const decoded = decodeRecords(batch!, 0, compression.decompress)
      expect(decoded.kind === 'ok' && decoded.records.map(({ timestamp }) => timestamp)).toEqual([nowMs, nowMs, nowMs])
    },
  )
})

describe('keys', () => {
  it('are asked of every record of a compacted topic, packed or not', async () => {
    await node.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    for (const compression of ['none', 'snappy', 'zstd'] as const) {
      const answers = send('t', { compression, key: null, values: ['a', 'b'] })
      await turns()
      expect(answers, compression).toEqual([
        expect.objectContaining({
          errorCode: ErrorCode.INVALID_RECORD,
          recordErrors: [0, 1].map((batchIndex) => ({
            batchIndex,
            message: 'Compacted topic cannot accept message without key.',
          })),
        }),
      ])
    }
    const keyed = send('t', { compression: 'zstd' })
    await turns()
    expect(keyed).toEqual([at(0)])
  })
})
