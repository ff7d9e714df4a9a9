// Owns reading the recorded bytes in test/golden/kafka-protocol and turning their JSON into message values and back. Walks the
// definitions itself and shares nothing with the generator, so that a mistake there cannot hide here.

import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const golden = new URL('../../../golden/kafka-protocol/', import.meta.url)
const definitions = new URL('../../../../src/protocol/messages/', import.meta.url)

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
type Value = unknown

export function goldenText(path: string): string {
  const bytes = readFileSync(new URL(path, golden))
  return path.endsWith('.gz') ? gunzipSync(bytes).toString('utf8') : bytes.toString('utf8')
}

export function goldenLines<T>(path: string): T[] {
  return goldenText(path)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

export function goldenFiles(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, golden)).map((name) => `${folder}/${name}`)
}

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface RawField {
  readonly name: string
  readonly type: string
  readonly versions?: string
  readonly taggedVersions?: string
  readonly nullableVersions?: string
  readonly default?: string
  readonly fields?: readonly RawField[]
}

export interface RawMessage {
  readonly name: string
  readonly validVersions: string
  readonly flexibleVersions?: string
  readonly fields: readonly RawField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly RawField[] }[]
}

interface RawApi {
  readonly request: RawMessage
  readonly response: RawMessage
}

function definitionsIn(folder: string): (RawMessage | RawApi)[] {
  const at = new URL(`${folder}/`, definitions)
  return readdirSync(at).map((name) => JSON.parse(readFileSync(new URL(name, at), 'utf8')) as RawMessage | RawApi)
}

/** Definitions by message name; `legacy` first where a message has both and the version is older than Kafka 4's. */
export function readDefinitions(...folders: string[]): Map<string, RawMessage> {
  const byName = new Map<string, RawMessage>()
  for (const folder of folders) {
    for (const definition of definitionsIn(folder)) {
      for (const message of 'request' in definition ? [definition.request, definition.response] : [definition])
        byName.set(message.name, message)
    }
  }
  return byName
}

function bounds(range: string): readonly [number, number] {
  if (range.endsWith('+')) return [Number(range.slice(0, -1)), Infinity]
  const [low = NaN, high = low] = range.split('-').map(Number)
  return [low, high]
}

function overlap(a: string, b: string): boolean {
  const [[lowA, highA], [lowB, highB]] = [bounds(a), bounds(b)]
  return lowA <= highB && lowB <= highA
}

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)

/** Turns the JSON of a vector into the value our codec works with, absent fields set to their defaults. */
export class ValueOfJson {
  private readonly definition: RawMessage

  constructor(definition: RawMessage) {
    this.definition = definition
  }

  message(json: Json): Value {
    return this.struct(this.definition.fields, json)
  }

  private fieldsOf(field: RawField): readonly RawField[] | undefined {
    return field.fields ?? this.definition.commonStructs?.find((struct) => struct.name === field.type.replace('[]', ''))?.fields
  }

  private struct(fields: readonly RawField[], json: Json): Value {
    const members = json as { readonly [name: string]: Json }
    const value: Record<string, Value> = {}
    for (const field of fields) {
      const name = lowerFirst(field.name)
      const given = members[name]
      // Some definitions still list fields of versions they no longer have.
      if (!overlap(field.versions ?? (field.taggedVersions as string), this.definition.validVersions)) continue
      value[name] = given === undefined ? this.defaultOf(field) : this.value(field, given)
    }
    return value
  }

  private value(field: RawField, json: Json): Value {
    if (json === null) return null
    if (field.type.startsWith('[]'))
      return (json as readonly Json[]).map((one) => this.value({ ...field, type: field.type.slice(2) }, one))
    const fields = this.fieldsOf(field)
    if (fields !== undefined) return this.struct(fields, json)
    if (field.type === 'int64') return BigInt(json as string)
    if (field.type === 'bytes') return fromHex(json as string)
    if (field.type === 'records') return [fromHex(json as string)]
    return json
  }

  private defaultOf(field: RawField): Value {
    if (field.default === 'null') return null
    if (field.type.startsWith('[]')) return []
    const fields = this.fieldsOf(field)
    if (fields !== undefined) return this.struct(fields, {})
    switch (field.type) {
      case 'int64':
        return BigInt(field.default ?? 0)
      case 'string':
        return field.default ?? ''
      case 'bool':
        return field.default === 'true'
      case 'uuid':
        return 'AAAAAAAAAAAAAAAAAAAAAA'
      case 'bytes':
        return new Uint8Array(0)
      case 'records':
        return field.nullableVersions === undefined ? [] : null
      default:
        return Number(field.default ?? 0)
    }
  }
}

/** Leaves out what only this codec has a field for: unknown tags, and fields of other versions that are at their default. */
export function comparable(value: Value, shape: Value): Value {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map((one, index) => comparable(one, Array.isArray(shape) ? shape[index] : undefined))
  if (typeof value !== 'object' || value === null) return value
  const members: Record<string, Value> = {}
  for (const [name, member] of Object.entries(value)) {
    if (name === 'unknownTaggedFields') continue
    const known = typeof shape === 'object' && shape !== null && name in shape
    if (known || shape === undefined)
      members[name] = comparable(member, known ? (shape as Record<string, Value>)[name] : undefined)
  }
  return members
}

/** `value` with the fields it lacks at any depth taken from `fallback`: those only the other generation's definition has. */
export function completed(value: Value, fallback: Value): Value {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value))
    return value.map((one, index) => completed(one, Array.isArray(fallback) ? fallback[index] : undefined))
  const members: Record<string, Value> = { ...(fallback as Record<string, Value> | undefined) }
  for (const [name, member] of Object.entries(value)) members[name] = completed(member, members[name])
  return members
}

/** True when some struct inside carries unknown tagged fields. */
export function hasUnknownTags(value: Value): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  if ('unknownTaggedFields' in value && value.unknownTaggedFields !== undefined) return true
  return Object.values(value).some(hasUnknownTags)
}
