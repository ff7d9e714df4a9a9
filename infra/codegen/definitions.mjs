// Owns reading the message definitions (src/protocol/messages) into one normal form: absolute version ranges, resolved
// struct types, older versions merged in. Does not own what TypeScript is written from them (emit-*.mjs).

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @typedef {{ low: number, high: number }} Range  inclusive; empty when low > high; high may be Infinity
 * @typedef {object} Field
 * @property {string} name  camelCase
 * @property {string} type  primitive, `records` or `struct`
 * @property {boolean} array
 * @property {Struct | undefined} struct
 * @property {Range} versions
 * @property {Range} nullable
 * @property {number | undefined} tag
 * @property {string | undefined} default
 * @property {boolean} ignorable
 * @property {boolean} neverFlexible
 * @typedef {{ name: string, fields: Field[] }} Struct
 * @typedef {{ name: string, versions: Range, firstFlexible: number, root: Struct, structs: Struct[] }} Message  structs: inner ones first
 */

const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, 'utf8'))

/** @param {string | undefined} text @returns {Range} */
export function parseRange(text) {
  if (text === undefined || text === 'none') return { low: 1, high: 0 }
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (match === null) throw new Error(`not a version range: ${text}`)
  const low = Number(match[1])
  return { low, high: match[2] === '+' ? Infinity : match[3] === undefined ? low : Number(match[3]) }
}

/** @param {Range} a @param {Range} b @returns {Range} */
export const intersect = (a, b) => ({ low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) })
export const isEmpty = (/** @type {Range} */ range) => range.low > range.high
/** @param {Range} outer @param {Range} inner */
export const covers = (outer, inner) => isEmpty(inner) || (outer.low <= inner.low && outer.high >= inner.high)

const lowerFirst = (/** @type {string} */ name) => name[0].toLowerCase() + name.slice(1)

/**
 * Adds what only the older definition has. Fields both have are taken from the newer one: it describes the older versions too.
 * @param {any[]} newer @param {any[]} older @returns {any[]}
 */
function mergeFields(newer, older) {
  const merged = newer.map((field) => {
    const twin = older.find((other) => other.name === field.name)
    if (twin === undefined || field.fields === undefined || twin.fields === undefined) return field
    return { ...field, fields: mergeFields(field.fields, twin.fields) }
  })
  older.forEach((field, index) => {
    if (newer.some((other) => other.name === field.name)) return
    const before = older[index - 1]?.name
    merged.splice(merged.findIndex((other) => other.name === before) + 1, 0, field)
  })
  return merged
}

/** @param {any} newer @param {any} older */
function mergeMessage(newer, older) {
  if (older === undefined) return newer
  const [a, b] = [parseRange(newer.validVersions), parseRange(older.validVersions)]
  return {
    ...newer,
    validVersions: `${Math.min(a.low, b.low)}-${Math.max(a.high, b.high)}`,
    fields: mergeFields(newer.fields, older.fields),
  }
}

/** @param {any} definition @returns {Message} */
function normalise(definition) {
  const versions = parseRange(definition.validVersions)
  const flexible = parseRange(definition.flexibleVersions)
  /** @type {Map<string, Struct>} */
  const structs = new Map()
  const common = new Map((definition.commonStructs ?? []).map((/** @type {any} */ struct) => [struct.name, struct]))

  // A field of versions no longer spoken is no field.
  const isReachable = (/** @type {any} */ raw) => !isEmpty(intersect(parseRange(raw.versions ?? raw.taggedVersions), versions))
  /** @param {string} name @param {any[]} fields @returns {Struct} */
  const struct = (name, fields) => {
    const known = structs.get(name)
    if (known !== undefined) return known
    /** @type {Struct} */
    const made = { name, fields: fields.filter(isReachable).map(field) }
    structs.set(name, made)
    return made
  }
  /** @param {any} raw @returns {Field} */
  const field = (raw) => {
    const array = raw.type.startsWith('[]')
    const type = array ? raw.type.slice(2) : raw.type
    const isStruct = /^[A-Z]/.test(type)
    const range = parseRange(raw.versions ?? raw.taggedVersions)
    if (raw.taggedVersions !== undefined && (raw.versions ?? raw.taggedVersions) !== raw.taggedVersions)
      throw new Error(`${definition.name}.${raw.name} is tagged in only some of its versions`)
    return {
      name: lowerFirst(raw.name),
      type: isStruct ? 'struct' : type,
      array,
      struct: isStruct ? struct(type, raw.fields ?? common.get(type)?.fields) : undefined,
      versions: intersect(range, versions),
      nullable: intersect(parseRange(raw.nullableVersions), versions),
      tag: raw.tag,
      default: raw.default,
      ignorable: raw.ignorable === true,
      neverFlexible: raw.flexibleVersions === 'none',
    }
  }
  const root = struct(definition.name, definition.fields)
  return {
    name: definition.name,
    versions,
    firstFlexible: isEmpty(flexible) ? Infinity : flexible.low,
    root,
    structs: [...structs.values()],
  }
}

/** @param {string} folder */
const jsonFiles = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()

/** @param {string} folder the room's messages/ */
export function readApis(folder) {
  const older = new Map(jsonFiles(join(folder, 'legacy')).map((name) => [name, json(join(folder, 'legacy', name))]))
  return jsonFiles(join(folder, 'apis')).map((name) => {
    const api = json(join(folder, 'apis', name))
    const old = older.get(name)
    return {
      source: `apis/${name}`,
      key: /** @type {number} */ (api.apiKey),
      name: /** @type {string} */ (api.name),
      request: normalise(mergeMessage(api.request, old?.request)),
      response: normalise(mergeMessage(api.response, old?.response)),
    }
  })
}

/** Messages that are not an API: headers, embedded blobs, records of internal topics. @param {string} folder @param {'data' | 'records'} kind */
export function readBlobs(folder, kind) {
  return jsonFiles(join(folder, kind)).map((name) => {
    const definition = json(join(folder, kind, name))
    return {
      source: `${kind}/${name}`,
      recordType: /** @type {number | undefined} */ (definition.apiKey),
      kind: /** @type {string} */ (definition.type),
      message: normalise(definition),
    }
  })
}

/** @param {string} folder @param {string} name */
export const readTable = (folder, name) => json(join(folder, 'tables', `${name}.json`))
