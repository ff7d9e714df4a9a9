// Owns the shape shared by all wrappers: one function that is called around every operation of a store. Does not decide anything
// about them.

import type { ObjectStore } from '../ports.ts'

export type StoreOperation = keyof Omit<ObjectStore, 'location' | 'close'>

/** Every operation once, for tables of counters and for tests that inject faults everywhere. */
export const storeOperations: readonly StoreOperation[] = [
  'head',
  'get',
  'getRange',
  'getTail',
  'list',
  'put',
  'putIfAbsent',
  'putIfMatch',
  'putMultipart',
  'delete',
  'deleteMany',
]

export interface StoreCall {
  readonly operation: StoreOperation
  /** The prefix of a listing; the first key of many. */
  readonly key: string
  /** Bytes known beforehand to be moved: those of a body, the most a range can bring. 0 when unknown. */
  readonly bytes: number
  /** Keys of one `deleteMany`, else 1. */
  readonly keys: number
}

export type Around = <Result>(call: StoreCall, run: () => Promise<Result>) => Promise<Result>

export type List = ObjectStore['list']

/** `list` is a stream: each wrapper says for itself what it means there. */
export function aroundStore(inner: ObjectStore, around: Around, list: List): ObjectStore {
  const call = (operation: StoreOperation, key: string, bytes = 0): StoreCall => ({ operation, key, bytes, keys: 1 })
  return {
    location: inner.location,
    head: (key) => around(call('head', key), () => inner.head(key)),
    get: (key) => around(call('get', key), () => inner.get(key)),
    getRange: (key, start, end) => around(call('getRange', key, end - start), () => inner.getRange(key, start, end)),
    getTail: (key, length) => around(call('getTail', key, length), () => inner.getTail(key, length)),
    list,
    put: (key, body) => around(call('put', key, bodyBytes(body)), () => inner.put(key, body)),
    putIfAbsent: (key, body) => around(call('putIfAbsent', key, bodyBytes(body)), () => inner.putIfAbsent(key, body)),
    putIfMatch: (key, body, etag) => around(call('putIfMatch', key, bodyBytes(body)), () => inner.putIfMatch(key, body, etag)),
    putMultipart: (key, parts) => around(call('putMultipart', key), () => inner.putMultipart(key, parts)),
    delete: (key) => around(call('delete', key), () => inner.delete(key)),
    deleteMany: (keys) =>
      around({ operation: 'deleteMany', key: keys[0] ?? '', bytes: 0, keys: keys.length }, () => inner.deleteMany(keys)),
    close: () => inner.close(),
  }
}

export function bodyBytes(body: readonly Uint8Array[]): number {
  let bytes = 0
  for (const piece of body) bytes += piece.length
  return bytes
}
