// Owns the proof that every recorded message of every version decodes to its values and encodes to its bytes.

import { expect, test } from 'vitest'
import { ByteReader } from '../../../../src/protocol/codec/reader.ts'
import { ByteWriter } from '../../../../src/protocol/codec/writer.ts'
import { apiCodecs, blobCodecs } from '../../../../src/protocol/generated/codecs.ts'
import {
  comparable,
  completed,
  fromHex,
  goldenFiles,
  goldenLines,
  hasUnknownTags,
  readDefinitions,
  toHex,
  ValueOfJson,
  type Json,
} from './vectors.ts'

interface Vector {
  readonly api?: string
  readonly key?: number
  readonly message?: string
  readonly type: string
  readonly version: number
  readonly variant: string
  readonly json: Json
  readonly hex: string
}

interface Codec {
  readonly name: string
  read(r: ByteReader, version: number): unknown
  write(w: ByteWriter, m: never, version: number): void
}

function codecOf(vector: Vector): Codec {
  if (vector.message !== undefined) {
    const blob = blobCodecs[vector.message]
    if (blob === undefined) throw new Error(`no codec of ${vector.message}`)
    return { name: vector.message, read: blob.read, write: blob.write }
  }
  const api = apiCodecs.get(vector.key as number)
  if (api === undefined) throw new Error(`no codec of ${vector.api}`)
  return vector.type === 'request'
    ? { name: `${vector.api}Request`, read: api.readRequest, write: api.writeRequest }
    : { name: `${vector.api}Response`, read: api.readResponse, write: api.writeResponse }
}

function encode(codec: Codec, value: unknown, version: number): string {
  const writer = new ByteWriter()
  codec.write(writer, value as never, version)
  return toHex(writer.concat())
}

/** One vector, both ways. */
function check(vector: Vector, definitions: ReturnType<typeof readDefinitions>): void {
  const codec = codecOf(vector)
  const at = `${codec.name} ${vector.version} ${vector.variant}`
  const definition = definitions.get(codec.name)
  if (definition === undefined) throw new Error(`no definition of ${codec.name}`)
  const expected = new ValueOfJson(definition).message(vector.json)

  const reader = new ByteReader(fromHex(vector.hex))
  const decoded = codec.read(reader, vector.version)
  expect(reader.failure, at).toBeUndefined()
  expect(reader.remaining, at).toBe(0)
  expect(comparable(decoded, expected), at).toEqual(comparable(expected, undefined))
  expect(encode(codec, decoded, vector.version), `${at}, decoded and encoded`).toBe(vector.hex)

  if (vector.variant === 'unknownTags') expect(hasUnknownTags(decoded), at).toBe(true)
  else expect(encode(codec, completed(expected, decoded), vector.version), `${at}, encoded`).toBe(vector.hex)
}

function checkFiles(folder: string, definitions: ReturnType<typeof readDefinitions>): number {
  let count = 0
  for (const file of goldenFiles(folder)) {
    for (const vector of goldenLines<Vector>(file)) {
      check(vector, definitions)
      count++
    }
  }
  return count
}

test('every message Kafka 4 wrote decodes to its values and encodes to its bytes', () => {
  expect(checkFiles('messages', readDefinitions('apis', 'data', 'records'))).toBe(3196)
})

test('every message of the versions Kafka 4 dropped decodes to its values and encodes to its bytes', () => {
  expect(checkFiles('messages-legacy-3.9', readDefinitions('legacy'))).toBe(216)
})
