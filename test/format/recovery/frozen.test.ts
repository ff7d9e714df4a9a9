// Owns the frozen bytes of what recovery reads beside snapshots and WAL objects: records of lives, entries of the logs.

import { describe, expect, it } from 'vitest'
import { decodeCommand, decodeControl, encodeCommand } from '../../../src/broker/core/index.ts'
import { type ControlEntry, encodeControl } from '../../../src/broker/core/control.ts'
import { leaderEpoch, lifeNumber, nodeId, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { type ClaimRecord, encodeJson, type HeartbeatRecord, type OpenRecord } from '../../../recovery/core/life-records.ts'
import { readClaim, readHeartbeats, readOpen } from '../../../recovery/lives.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { segmentKey } from '../../../tiers/segment/index.ts'
import { claimKey, heartbeatKey, openKey } from '../../../tiers/stream/index.ts'
import { frozenBytes, hexOf } from '../../support/frozen.ts'

const life = lifeNumber(7)
const clusterId = 'AAECAwQFBgcICQoLDA0O_w'

describe('records of a life, format version 1', () => {
  const claim: ClaimRecord = {
    formatVersion: 1,
    clusterId,
    life,
    parentLife: 6,
    claimId: 'AAECAwQFBgcICQoLDA0ODw',
    claimedBy: 'node 1 at größe:9092',
    claimedAtMs: 1700000000000,
  }
  const open: OpenRecord = {
    formatVersion: 1,
    clusterId,
    life,
    state: 'serving',
    parentLife: 6,
    nodes: [1, 2],
    cuts: [{ prefix: 'wal/0000000006/0000000001/', sequence: 12 }],
    openedAtMs: 1700000000001,
  }
  const ended: OpenRecord = { ...open, state: 'ended', nodes: [], cuts: [], endedByLife: 8 }
  const heartbeat: HeartbeatRecord = { life, node: 1, state: 'closed', intervalMs: 3000, writtenAtMs: 1700000000002 }

  it.each([
    ['claim-v1.hex', claim],
    ['open-v1.hex', open],
    ['ended-v1.hex', ended],
    ['heartbeat-v1.hex', heartbeat],
  ])('%s is written as it was frozen', (name, record) => {
    expect(hexOf(encodeJson(record))).toBe(hexOf(frozenBytes(import.meta.url, name, encodeJson(record))))
  })

  it('are read as they were frozen', async () => {
    const store = memoryStore()
    await store.put(claimKey(life), [frozenBytes(import.meta.url, 'claim-v1.hex', encodeJson(claim))])
    await store.put(openKey(life), [frozenBytes(import.meta.url, 'open-v1.hex', encodeJson(open))])
    await store.put(heartbeatKey(life, nodeId(1)), [frozenBytes(import.meta.url, 'heartbeat-v1.hex', encodeJson(heartbeat))])
    expect(await readClaim(store, life)).toEqual(claim)
    expect(await readOpen(store, life)).toEqual(open)
    expect(await readHeartbeats(store, life, [nodeId(1)])).toEqual([{ record: heartbeat, lastModifiedMs: 0 }])
    await store.put(openKey(life), [frozenBytes(import.meta.url, 'ended-v1.hex', encodeJson(ended))])
    expect(await readOpen(store, life)).toEqual(ended)
  })

  it('of another version are refused, not guessed at', async () => {
    const store = memoryStore()
    await store.put(openKey(life), [encodeJson({ ...open, formatVersion: 2 })])
    await expect(readOpen(store, life)).rejects.toMatchObject({ kind: 'corrupt', code: 'LIFE_RECORD_UNKNOWN' })
  })
})

describe('control entries version 1', () => {
  const name = { topicId: topicId(clusterId), partition: partitionIndex(12), baseOffset: offset(4), leaderEpoch: leaderEpoch(2), attempt: 1 }
  const facts = { endOffset: offset(9), sizeBytes: 1000, dataBytes: 800, recordCount: 5, batchCount: 2 }
  const times = { minTimestampMs: 1699999999000, maxTimestampMs: 1700000000000, offsetOfMaxTimestamp: 7 }
  const published: Extract<ControlEntry, { kind: 'segment-published' }> = {
    kind: 'segment-published',
    segment: { key: segmentKey(name), ...name, ...facts, ...times, trailerCrc32c: 4022250974 },
  }
  const logStart: ControlEntry = { kind: 'log-start', offset: offset(4294967297) }

  const replaced: ControlEntry = {
    kind: 'segments-replaced',
    replaced: [
      { baseOffset: offset(4), leaderEpoch: leaderEpoch(2), attempt: 1 },
      { baseOffset: offset(4294967297), leaderEpoch: leaderEpoch(9), attempt: 65535 },
    ],
    segment: published.segment,
    cleanedEndOffset: 4294967298,
  }

  it.each([
    ['segment-published-v1.hex', published],
    ['log-start-v1.hex', logStart],
    ['segments-replaced-v1.hex', replaced],
  ])('%s is written and read as it was frozen', (file, entry) => {
    const bytes = frozenBytes(import.meta.url, file, encodeControl(entry))
    expect(hexOf(encodeControl(entry))).toBe(hexOf(bytes))
    expect(decodeControl(bytes)).toEqual({ ok: true, value: entry })
  })
})

describe('metadata commands version 1', () => {
  it.each([
    ['create-topic-v1.hex', { kind: 'create-topic', name: 'größe', id: clusterId, internal: true, partitionCount: 3, configs: { a: 'b' } }],
    ['delete-topic-v1.hex', { kind: 'delete-topic', id: clusterId }],
    ['create-partitions-v1.hex', { kind: 'create-partitions', id: clusterId, partitionCount: 12 }],
    ['alter-topic-configs-v1.hex', { kind: 'alter-topic-configs', id: clusterId, configs: { a: 'b', c: '' } }],
    ['allocate-producer-ids-v1.hex', { kind: 'allocate-producer-ids', count: 1000 }],
  ] as const)('%s is written and read as it was frozen', (file, command) => {
    const bytes = frozenBytes(import.meta.url, file, encodeCommand(command))
    expect(hexOf(encodeCommand(command))).toBe(hexOf(bytes))
    expect(decodeCommand(bytes)).toMatchObject({ ok: true, value: command })
  })
})
