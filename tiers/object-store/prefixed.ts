// Owns seeing a part of a store as a whole one: every key below one prefix. Does not hide the prefix in messages.

import type { ListedObject, ListOptions, ObjectStore } from '../ports.ts'
import { checkKey } from './key.ts'

/** `prefix` with or without its final slash; the empty one is the store itself. Closing closes the store. */
export function prefixedStore(inner: ObjectStore, prefix: string): ObjectStore {
  const trimmed = prefix.replace(/\/+$/, '')
  if (trimmed === '') return inner
  checkKey(trimmed)
  const under = `${trimmed}/`
  const at = (key: string): string => {
    // Here too: an empty key would name the prefix itself.
    checkKey(key)
    return under + key
  }
  return {
    location: `${inner.location}/${trimmed}`,
    head: async (key) => ({ ...(await inner.head(at(key))), key }),
    get: async (key) => inner.get(at(key)),
    getRange: async (key, start, end) => inner.getRange(at(key), start, end),
    getTail: async (key, length) => inner.getTail(at(key), length),
    list: (part, options) => listUnder(inner, under, part, options),
    put: async (key, body) => inner.put(at(key), body),
    putIfAbsent: async (key, body) => inner.putIfAbsent(at(key), body),
    putIfMatch: async (key, body, etag) => inner.putIfMatch(at(key), body, etag),
    putMultipart: async (key, parts) => inner.putMultipart(at(key), parts),
    delete: async (key) => inner.delete(at(key)),
    deleteMany: async (keys) =>
      (await inner.deleteMany(keys.map(at))).map(({ key, reason }) => ({ key: key.slice(under.length), reason })),
    close: () => inner.close(),
  }
}

async function* listUnder(
  inner: ObjectStore,
  under: string,
  part: string,
  options: ListOptions = {},
): AsyncIterable<ListedObject> {
  const { startAfter, ...rest } = options
  const inside = startAfter === undefined ? rest : { ...rest, startAfter: under + startAfter }
  for await (const object of inner.list(under + part, inside)) yield { ...object, key: object.key.slice(under.length) }
}
