// Owns counting what a store is asked: requests, bytes, errors and latency per operation, in plain fields that are read when somebody
// looks. Not metric names nor exposition (server/http).

import type { Clock } from '../../src/base/clock.ts'
import { Histogram } from '../../src/base/histogram.ts'
import { isOpError } from '../../src/base/op-error.ts'
import type { ListedObject, ListOptions, ObjectStore } from '../ports.ts'
import { aroundStore, type StoreCall, type StoreOperation, storeOperations } from './around.ts'
import { keysPerRequestMax, partBytes } from './limits.ts'

export interface OperationCounters {
  readonly calls: number
  /** As a bucket bills them: a listing one per 1000 keys, a multipart upload its parts and two. */
  readonly requests: number
  /** Not counted: `missing`, and the outcomes `exists` and `conflict`, which are answers. */
  readonly errors: number
  /** Of the errors, those by which the store asked for less. */
  readonly throttled: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Microseconds from call to answer; a listing's is that of all its pages without the time of its reader. */
  readonly latencyUs: Histogram
}

export type StoreCounters = Readonly<Record<StoreOperation, OperationCounters>>

export interface MeteredStore extends ObjectStore {
  /** The living counters: copy what should not move. */
  counters(): StoreCounters
}

export interface StoreTotals {
  readonly requests: number
  readonly errors: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** Subtract two of them to know what a phase cost, for instance a cold start. */
export function totalsOf(counters: StoreCounters): StoreTotals {
  const totals = { requests: 0, errors: 0, bytesRead: 0, bytesWritten: 0 }
  for (const operation of storeOperations) {
    totals.requests += counters[operation].requests
    totals.errors += counters[operation].errors
    totals.bytesRead += counters[operation].bytesRead
    totals.bytesWritten += counters[operation].bytesWritten
  }
  return totals
}

class OperationMeter implements OperationCounters {
  calls = 0
  requests = 0
  errors = 0
  throttled = 0
  bytesRead = 0
  bytesWritten = 0
  readonly latencyUs = new Histogram()

  failed(error: unknown): void {
    if (isOpError(error, 'missing')) return
    this.errors += 1
    if (isOpError(error, 'busy')) this.throttled += 1
  }
}

type Meters = Readonly<Record<StoreOperation, OperationMeter>>

/** Inside `retryingStore`, so that each attempt counts. */
export function meteredStore(inner: ObjectStore, clock: Pick<Clock, 'monotonicMs'>): MeteredStore {
  const meters = Object.fromEntries(storeOperations.map((operation) => [operation, new OperationMeter()])) as unknown as Meters
  const around = async <Result>(call: StoreCall, run: () => Promise<Result>): Promise<Result> => {
    const meter = meters[call.operation]
    meter.calls += 1
    meter.requests += call.operation === 'deleteMany' ? Math.ceil(call.keys / keysPerRequestMax) : 1
    const startedMs = clock.monotonicMs()
    try {
      const result = await run()
      meter.bytesRead += bytesOf(result)
      if (call.operation.startsWith('put')) meter.bytesWritten += call.bytes
      return result
    } catch (error) {
      meter.failed(error)
      throw error
    } finally {
      meter.latencyUs.record((clock.monotonicMs() - startedMs) * 1000)
    }
  }
  const list: ObjectStore['list'] = (prefix, options) => listMetered({ inner, clock, meter: meters.list }, prefix, options)
  const store = aroundStore(inner, around, list)
  const putMultipart: ObjectStore['putMultipart'] = (key, parts) =>
    store.putMultipart(key, countParts(parts, meters.putMultipart))
  return { ...store, putMultipart, counters: () => meters }
}

function bytesOf(result: unknown): number {
  if (result instanceof Uint8Array) return result.length
  return typeof result === 'object' && result !== null && 'bytes' in result && result.bytes instanceof Uint8Array
    ? result.bytes.length
    : 0
}

/** The parts the caller gives need not be those that are sent: counted as the backend cuts them. */
async function* countParts(parts: AsyncIterable<Uint8Array>, meter: OperationMeter): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const part of parts) {
    if (bytes <= partBytes && bytes + part.length > partBytes) meter.requests += 2
    meter.requests += Math.max(0, Math.ceil((bytes + part.length) / partBytes) - Math.max(1, Math.ceil(bytes / partBytes)))
    bytes += part.length
    meter.bytesWritten += part.length
    yield part
  }
}

interface ListMeter {
  readonly inner: ObjectStore
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly meter: OperationMeter
}

async function* listMetered(order: ListMeter, prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
  const { inner, clock, meter } = order
  meter.calls += 1
  meter.requests += 1
  let keys = 0
  let spentMs = 0
  let resumedMs = clock.monotonicMs()
  try {
    for await (const object of inner.list(prefix, options)) {
      spentMs += clock.monotonicMs() - resumedMs
      keys += 1
      if (keys % keysPerRequestMax === 1 && keys > 1) meter.requests += 1
      yield object
      resumedMs = clock.monotonicMs()
    }
  } catch (error) {
    meter.failed(error)
    throw error
  } finally {
    meter.latencyUs.record(spentMs * 1000)
  }
}
