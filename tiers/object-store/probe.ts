// Owns the proof, on the real store, that Chronik can fence on it: conditions are kept under a race and a listing is current. Six
// requests, once at start. Does not decide whether to start without it.

import type { Clock } from '../../src/base/clock.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { IdSource } from '../../src/base/prng.ts'
import type { ListedObject, ObjectStore } from '../ports.ts'

export interface ProbeOptions {
  readonly clock: Clock
  readonly idSource: IdSource
  /** Whether If-Match is needed too. True when absent. */
  readonly ifMatch?: boolean
}

export interface ProbeReport {
  /** The store's clock at the probe: heartbeats are judged by it, never by ours. */
  readonly storeTimeMs: number
  /** Store's minus ours; off by at most the time the probe took. */
  readonly clockOffsetMs: number
}

/**
 * Throws OpError `invalid`/`STORE_CANNOT_FENCE` when a condition is not kept, `STORE_LIST_STALE` when a listing misses what was just
 * written, `retry`/`PROBE_UNDECIDED` when lost answers leave it open; and what the store throws. Leaves nothing behind when it can.
 */
export async function probeConditionalWrites(store: ObjectStore, options: ProbeOptions): Promise<ProbeReport> {
  const key = `probe/${Buffer.from(options.idSource.nextId()).toString('hex')}`
  const report = await prove(store, key, options).catch(async (error: unknown) => {
    // The failure says more than a failed tidying up.
    await store.delete(key).catch(() => undefined)
    throw error
  })
  await store.delete(key)
  return report
}

async function prove(store: ObjectStore, key: string, { clock, ifMatch = true }: ProbeOptions): Promise<ProbeReport> {
  const body = (text: string): Uint8Array[] => [Buffer.from(`Chronik asks whether conditional writes hold: ${text}\n`)]
  // At the same time: a store that looks first and writes later lets both pass.
  const outcomes = await Promise.all([store.putIfAbsent(key, body('first')), store.putIfAbsent(key, body('second'))])
  const created = outcomes.filter((outcome) => outcome.kind === 'created')
  if (created.length > 1) throw cannotFence(store, 'two writers created the same object', 'If-None-Match')
  if (created.length === 0) throw undecided(store)
  const askedMs = clock.nowMs()
  const { lastModifiedMs } = await findListed(store, key)
  if (ifMatch) await proveIfMatch(store, key, body)
  return { storeTimeMs: lastModifiedMs, clockOffsetMs: lastModifiedMs - askedMs }
}

async function findListed(store: ObjectStore, key: string): Promise<ListedObject> {
  for await (const listed of store.list(key, { limit: 1 })) if (listed.key === key) return listed
  const detail = `${store.location} does not list an object that was just written; use a store with consistent listings`
  throw new OpError('invalid', { code: 'STORE_LIST_STALE', detail })
}

async function proveIfMatch(store: ObjectStore, key: string, body: (text: string) => Uint8Array[]): Promise<void> {
  const { etag } = await store.head(key)
  const replaced = await store.putIfMatch(key, body('third'), etag)
  if (replaced.kind !== 'replaced') throw undecided(store)
  const stale = await store.putIfMatch(key, body('fourth'), etag)
  if (stale.kind !== 'conflict') throw cannotFence(store, 'a writer replaced a version it did not know', 'If-Match')
}

function cannotFence(store: ObjectStore, what: string, header: string): OpError {
  return new OpError('invalid', {
    code: 'STORE_CANNOT_FENCE',
    detail: `${store.location} does not keep ${header}: ${what}. Chronik cannot fence on it; use a store or version with conditional writes`,
  })
}

function undecided(store: ObjectStore): OpError {
  const detail = `answers of ${store.location} were lost while its conditional writes were proved; try again`
  return new OpError('retry', { code: 'PROBE_UNDECIDED', detail })
}
