// Owns proving the chain of lives: every claim and opening reads, each life names its parent, and where a life was cut a fence
// stands (I7). Not what the lives wrote.

import { isOpError, OpError } from '../../src/base/op-error.ts'
import { lifeNumber, type LifeNumber, nodeId } from '../../src/model/ids.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import {
  claimKey,
  decodeFence,
  heartbeatKey,
  metadataWalPrefix,
  numberedKey,
  openKey,
  walPrefix,
} from '../../tiers/stream/index.ts'
import { decodeJson, type HeartbeatRecord, type OpenRecord } from '../core/life-records.ts'
import { type LifeFacts, listLives, readClaim, readOpen } from '../lives.ts'
import { type Findings, fromVersions } from './findings.ts'
import type { Inventory } from './inventory.ts'

export interface LifeChain {
  /** The newest life that served; undefined when none did. */
  readonly source: OpenRecord | undefined
  /** Its nodes all stopped in order: everything is in the bucket. */
  readonly isClosed: boolean
}

/** A record, or undefined after it was named as damage. */
async function read<Record extends { life: number }>(
  life: LifeNumber,
  key: string,
  get: () => Promise<Record>,
  findings: Findings,
): Promise<Record | undefined> {
  try {
    const record = await get()
    if (record.life === life) return record
    findings.damage('LIFE_RECORD_WRONG', key, `it is the record of life ${record.life}`)
  } catch (error) {
    if (!isOpError(error, 'corrupt', 'missing')) throw error
    findings.damage(error.kind === 'missing' ? 'LIFE_RECORD_MISSING' : 'LIFE_RECORD_UNREADABLE', key, error.detail)
  }
  return undefined
}

export async function checkLives(store: ObjectStore, inventory: Inventory, findings: Findings): Promise<LifeChain> {
  const lives = await listLives(store)
  findings.totals.lives = lives.length
  const opened = new Map<number, OpenRecord>()
  let clusterId: string | undefined
  for (const facts of lives) {
    const claim = await read(facts.life, claimKey(facts.life), () => readClaim(store, facts.life), findings)
    const open = await checkOpening(store, facts, findings)
    if (open !== undefined) opened.set(facts.life, open)
    for (const [key, record] of [
      [claimKey(facts.life), claim],
      [openKey(facts.life), open],
    ] as const) {
      if (record === undefined) continue
      // A life that was ended before it served may carry the id of whoever ended it.
      if ('state' in record && record.state === 'ended') continue
      if (facts.opened) clusterId ??= record.clusterId
      if (clusterId !== undefined && facts.opened && record.clusterId !== clusterId)
        findings.damage('LIFE_FOREIGN', key, `it belongs to cluster ${record.clusterId}, the lives before it to ${clusterId}`)
    }
  }
  const serving = [...opened.values()].filter((record) => record.state === 'serving')
  for (const record of serving) await checkCuts(store, record, opened, findings)
  const source = serving.at(-1)
  if (source === undefined) reportNoLife(inventory, findings)
  return { source, isClosed: source !== undefined && (await isClosed(store, source, findings)) }
}

async function checkOpening(store: ObjectStore, facts: LifeFacts, findings: Findings): Promise<OpenRecord | undefined> {
  const key = openKey(facts.life)
  if (facts.opened) return read(facts.life, key, () => readOpen(store, facts.life), findings)
  findings.note(
    'LIFE_UNOPENED',
    key,
    `life ${facts.life} was claimed and has not begun to serve: a start is under way, or was given up`,
    'start a node: it finishes the cold start in a life of its own',
  )
  return undefined
}

function reportNoLife(inventory: Inventory, findings: Findings): void {
  const holdsData = inventory.writers.size + inventory.snapshots.size + inventory.segments.length > 0
  if (holdsData) findings.damage('NO_LIFE', 'cluster/', 'there is data, but no life that served: nobody can start from it')
  else findings.note('BUCKET_EMPTY', '', 'the bucket holds no cluster', 'check bucket and prefix')
}

/** The parent's writers were ended where this life says, and nowhere is one forgotten. */
async function checkCuts(
  store: ObjectStore,
  record: OpenRecord,
  opened: ReadonlyMap<number, OpenRecord>,
  findings: Findings,
): Promise<void> {
  const { life, parentLife, cuts } = record
  if (parentLife === 0) return
  const key = openKey(lifeNumber(life))
  const parent = opened.get(parentLife)
  if (parent === undefined || parentLife >= life) {
    findings.damage('PARENT_MISSING', key, `life ${life} began from life ${parentLife}, of which there is no record`)
    return
  }
  const old = lifeNumber(parentLife)
  const expected = [metadataWalPrefix(old), ...parent.nodes.map((node) => walPrefix(old, nodeId(node)))]
  for (const prefix of expected) {
    const cut = cuts.find((one) => one.prefix === prefix)
    if (cut === undefined) findings.damage('CUT_MISSING', key, `it names no cut of ${prefix}: that writer was never ended`)
    else await checkFence(store, numberedKey(prefix, cut.sequence), { life, parentLife }, findings)
  }
}

async function checkFence(
  store: ObjectStore,
  key: string,
  by: { readonly life: number; readonly parentLife: number },
  findings: Findings,
): Promise<void> {
  const remedy = `${fromVersions}; make sure that no node of life ${by.parentLife} runs any more`
  try {
    const fence = decodeFence(await store.get(key))
    if (fence === undefined) findings.damage('FENCE_DAMAGED', key, `life ${by.life} set a fence here; this is none`, remedy)
    else if (fence.byLife <= by.parentLife || fence.byLife > by.life)
      findings.damage(
        'FENCE_FOREIGN',
        key,
        `the fence was set by life ${fence.byLife}, not on the way to life ${by.life}`,
        remedy,
      )
  } catch (error) {
    if (!isOpError(error, 'missing')) throw error
    findings.damage('FENCE_MISSING', key, `life ${by.life} set a fence here; an old node could write again`, remedy)
  }
}

async function isClosed(store: ObjectStore, source: OpenRecord, findings: Findings): Promise<boolean> {
  let closed = true
  for (const node of source.nodes) {
    const key = heartbeatKey(lifeNumber(source.life), nodeId(node))
    try {
      const record = decodeJson(await store.get(key)) as Partial<HeartbeatRecord> | undefined
      if (record === undefined) throw new OpError('corrupt', { code: 'HEARTBEAT_UNREADABLE', detail: 'it is not a JSON object' })
      closed &&= record.state === 'closed'
    } catch (error) {
      if (!isOpError(error, 'missing', 'corrupt')) throw error
      closed = false
      if (error.kind === 'corrupt')
        findings.damage('HEARTBEAT_UNREADABLE', key, error.detail, 'delete it, once no node of this life runs any more')
    }
  }
  return closed
}
