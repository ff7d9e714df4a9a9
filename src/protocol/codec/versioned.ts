// Owns blobs that start with their own int16 version: consumer protocol metadata and assignments, keys and values of internal
// topics. Does not own their layouts (generated/data, generated/records).

import { ByteReader } from './reader.ts'
import { ByteWriter } from './writer.ts'

/**
 * `version` first, then the message at that version. For the key of an internal record the prefix is the record's type, and
 * the key's own layout version is 0: hand in the type as `prefix`.
 */
export function encodeVersioned<M>(
  write: (w: ByteWriter, message: M, version: number) => void,
  message: M,
  version: number,
  prefix = version,
): Uint8Array {
  const w = new ByteWriter()
  w.int16(prefix)
  write(w, message, version)
  return w.concat()
}

/** The int16 prefix, or undefined when there are not even two bytes. */
export function versionPrefixOf(bytes: Uint8Array): number | undefined {
  const r = new ByteReader(bytes)
  const prefix = r.int16()
  return r.failure === undefined ? prefix : undefined
}

/**
 * Reads the message after the prefix; undefined when the bytes are malformed. Bytes beyond the message are let be: a blob of
 * a newer version may be longer, and Kafka reads it as the newest version it knows.
 */
export function decodeVersioned<M>(
  read: (r: ByteReader, version: number) => M,
  bytes: Uint8Array,
  version: number,
): M | undefined {
  const r = new ByteReader(bytes)
  r.int16()
  const message = read(r, version)
  return r.failure === undefined ? message : undefined
}
