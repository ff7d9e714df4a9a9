// Owns lives: which exist in the bucket, claiming the next, opening it, and signs of life. Not fencing a life's writers (fence.ts).

import { OpError } from '../src/base/op-error.ts'
import { lifeNumber, type LifeNumber, type NodeId } from '../src/model/ids.ts'
import type { ObjectStore } from '../tiers/ports.ts'
import { claimKey, heartbeatKey, lifePrefix, openKey } from '../tiers/stream/index.ts'
import {
  type ClaimRecord,
  decodeJson,
  encodeJson,
  type HeartbeatRecord,
  lifeFormatVersion,
  type OpenRecord,
} from './core/life-records.ts'

export interface LifeFacts {
  readonly life: LifeNumber
  readonly claimed: boolean
  /** It began to serve, or was ended before it could: see the record. */
  readonly opened: boolean
}

/** All lives in the bucket, ascending. One listing. */
export async function listLives(store: ObjectStore): Promise<readonly LifeFacts[]> {
  const found = new Map<number, { claimed: boolean; opened: boolean }>()
  for await (const { key } of store.list(lifePrefix)) {
    const match = /^cluster\/(\d{10})\/(claim|open)$/.exec(key)
    if (match === null) continue
    const facts = found.get(Number(match[1])) ?? { claimed: false, opened: false }
    if (match[2] === 'claim') facts.claimed = true
    else facts.opened = true
    found.set(Number(match[1]), facts)
  }
  return [...found].sort(([left], [right]) => left - right).map(([life, facts]) => ({ life: lifeNumber(life), ...facts }))
}

async function readRecord<Record>(store: ObjectStore, key: string, lists: readonly (keyof Record & string)[]): Promise<Record> {
  const record = decodeJson(await store.get(key))
  const isKnown =
    record?.['formatVersion'] === lifeFormatVersion &&
    typeof record['life'] === 'number' &&
    typeof record['clusterId'] === 'string' &&
    lists.every((list) => Array.isArray(record[list]))
  if (!isKnown) {
    throw new OpError('corrupt', {
      code: 'LIFE_RECORD_UNKNOWN',
      detail: `${key} is not a record this build reads (format version ${lifeFormatVersion})`,
    })
  }
  return record as Record
}

export const readClaim = (store: ObjectStore, life: LifeNumber): Promise<ClaimRecord> => readRecord(store, claimKey(life), [])
export const readOpen = (store: ObjectStore, life: LifeNumber): Promise<OpenRecord> =>
  readRecord(store, openKey(life), ['nodes', 'cuts'])

/** Takes the life, or answers false when another node took it first. */
export async function claimLife(store: ObjectStore, record: ClaimRecord): Promise<boolean> {
  const key = claimKey(lifeNumber(record.life))
  const body = encodeJson(record)
  const outcome = await store.putIfAbsent(key, [body])
  if (outcome.kind === 'created') return true
  const stored = await readClaim(store, lifeNumber(record.life))
  return stored.claimId === record.claimId
}

/**
 * The moment a life begins to serve, or (`record.state` `ended`) the proof that it never will. Whoever comes second learns what
 * stands there.
 */
export async function openLife(store: ObjectStore, record: OpenRecord): Promise<OpenRecord> {
  const outcome = await store.putIfAbsent(openKey(lifeNumber(record.life)), [encodeJson(record)])
  return outcome.kind === 'created' ? record : readOpen(store, lifeNumber(record.life))
}

export interface SignOfLife {
  readonly record: HeartbeatRecord
  /** By the store's clock. */
  readonly lastModifiedMs: number
}

export async function readHeartbeats(
  store: ObjectStore,
  life: LifeNumber,
  nodes: readonly NodeId[],
): Promise<readonly SignOfLife[]> {
  const signs: SignOfLife[] = []
  for (const node of nodes) {
    for await (const facts of store.list(heartbeatKey(life, node))) {
      const record = decodeJson(await store.get(facts.key)) as HeartbeatRecord | undefined
      if (record !== undefined) signs.push({ record, lastModifiedMs: facts.lastModifiedMs })
    }
  }
  return signs
}

export async function writeHeartbeat(store: ObjectStore, record: HeartbeatRecord): Promise<void> {
  await store.put(heartbeatKey(lifeNumber(record.life), record.node as NodeId), [encodeJson(record)])
}
