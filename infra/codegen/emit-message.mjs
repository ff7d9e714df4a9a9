// Owns the TypeScript of one file of messages: interfaces, constructors with defaults, readers, writers. Does not own which
// messages share a file nor where it goes (generate.mjs).
//
// The code is written out per field, without tables or callbacks at run time: decoding and encoding Produce and Fetch is on
// the hot path, and straight code with one object literal per struct is what the engine does best.

import { covers, intersect, isEmpty } from './definitions.mjs'

/** @typedef {import('./definitions.mjs').Message} Message @typedef {import('./definitions.mjs').Field} Field @typedef {import('./definitions.mjs').Struct} Struct @typedef {import('./definitions.mjs').Range} Range */

const scalarTypes = {
  bool: 'boolean',
  int8: 'number',
  int16: 'number',
  uint16: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'bigint',
  float64: 'number',
  uuid: 'string',
  string: 'string',
  bytes: 'Uint8Array',
  records: 'readonly Uint8Array[]',
}
/** Bytes an array element takes at least, so that a hostile count is refused before anything is allocated. */
const bytesMin = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
  string: 1,
  bytes: 1,
  records: 1,
}
const taken = new Set([
  'r',
  'w',
  'm',
  'version',
  'flexible',
  'tag',
  'tags',
  'end',
  'n',
  'x',
  'list',
  'left',
  'fields',
  'mark',
  'assert',
  'unknownTaggedFields',
])

const upperFirst = (/** @type {string} */ name) => name[0].toUpperCase() + name.slice(1)
const lowerFirst = (/** @type {string} */ name) => name[0].toLowerCase() + name.slice(1)
const local = (/** @type {string} */ name) => (taken.has(name) ? `${name}_` : name)

/** The TypeScript condition for `version` being in `range`, knowing it is in `known`; undefined when that is certain. @param {Range} range @param {Range} known */
function condition(range, known) {
  const parts = []
  if (range.low > known.low) parts.push(`version >= ${range.low}`)
  if (range.high < known.high) parts.push(`version <= ${range.high}`)
  return parts.length === 0 ? undefined : parts.join(' && ')
}

/** Writes the structs of one message. @param {Message} message @param {Map<Struct, string>} names */
export function emitMessage(message, names) {
  const nameOf = (/** @type {Struct} */ struct) => /** @type {string} */ (names.get(struct))

  /** The versions in which each struct can appear. @type {Map<Struct, Range>} */
  const reach = new Map()
  /** @param {Struct} struct @param {Range} range */
  const spread = (struct, range) => {
    const known = reach.get(struct)
    const wider = known === undefined ? range : { low: Math.min(known.low, range.low), high: Math.max(known.high, range.high) }
    reach.set(struct, wider)
    for (const field of struct.fields) {
      const inner = intersect(field.versions, range)
      if (field.struct !== undefined && !isEmpty(inner)) spread(field.struct, inner)
    }
  }
  spread(message.root, message.versions)

  /** Whether the struct is written compact: 'true', 'false' or, where versions differ, the variable `flexible`. @param {Struct} struct */
  const flexibilityOf = (struct) => {
    const range = /** @type {Range} */ (reach.get(struct))
    return message.firstFlexible <= range.low ? 'true' : message.firstFlexible > range.high ? 'false' : 'flexible'
  }
  /** That of the struct being emitted. */
  let flexibility = 'flexible'

  /** Structs whose all-default value is needed as a shared constant. @type {Set<Struct>} */
  const shared = new Set()
  /** Structs that are compared with their all-default value. @type {Set<Struct>} */
  const compared = new Set()

  /** @param {Field} field */
  const isNullable = (field) => !isEmpty(field.nullable)

  /** @param {Field} field */
  const typeOf = (field) => {
    const element =
      field.struct !== undefined ? nameOf(field.struct) : scalarTypes[/** @type {keyof typeof scalarTypes} */ (field.type)]
    return `${field.array ? `readonly ${element}[]` : element}${isNullable(field) ? ' | null' : ''}`
  }

  /** @param {Field} field */
  const defaultOf = (field) => {
    if (field.default === 'null' || (field.type === 'records' && isNullable(field))) return 'null'
    if (field.array || field.type === 'records') return '[]'
    if (field.struct !== undefined) {
      shared.add(field.struct)
      return `default${nameOf(field.struct)}`
    }
    const given = field.default
    switch (field.type) {
      case 'bool':
        return given === 'true' ? 'true' : 'false'
      case 'int64':
        return `${BigInt(given ?? 0)}n`
      case 'string':
        return JSON.stringify(given ?? '')
      case 'uuid':
        return 'zeroUuid'
      case 'bytes':
        return 'noBytes'
      default:
        return String(Number(given ?? 0))
    }
  }

  /** The expression that is true when `value` is the field's default. @param {Field} field @param {string} value @returns {string} */
  const isDefault = (field, value) => {
    const given = defaultOf(field)
    if (given === 'null') return `${value} === null`
    const present = isNullable(field) ? `${value} !== null && ` : ''
    if (field.array || field.type === 'bytes' || field.type === 'records') return `${present}${value}.length === 0`
    if (field.struct !== undefined) {
      markCompared(field.struct)
      return `${present}isDefault${nameOf(field.struct)}(${value})`
    }
    return `${value} === ${given}`
  }
  /** @param {Struct} struct */
  const markCompared = (struct) => {
    if (compared.has(struct)) return
    compared.add(struct)
    for (const field of struct.fields) isDefault(field, '')
  }

  /** Least bytes of one element of an array. @param {Field} field */
  const elementMin = (field) =>
    field.struct !== undefined ? structMin(field.struct) : bytesMin[/** @type {keyof typeof bytesMin} */ (field.type)]
  /** Least bytes over all the versions the struct appears in; an element of no bytes at all does not exist. @param {Struct} struct @returns {number} */
  const structMin = (struct) => {
    const range = /** @type {Range} */ (reach.get(struct))
    let size = flexibilityOf(struct) === 'true' ? 1 : 0
    for (const field of struct.fields) {
      if (field.tag !== undefined || !covers(field.versions, range)) continue
      size += field.array || (field.struct !== undefined && isNullable(field)) ? 1 : elementMin(field)
    }
    return Math.max(size, 1)
  }

  // ---- reading

  /** @param {Field} field */
  const flexibleOf = (field) => (field.neverFlexible ? 'false' : flexibility)

  /** The expression reading one non-array value. @param {Field} field @param {boolean} nullable */
  const readScalar = (field, nullable) => {
    switch (field.type) {
      case 'string':
        return nullable ? `r.nullableString(${flexibleOf(field)})` : `r.string(${flexibleOf(field)})`
      case 'bytes':
        return nullable ? `r.nullableBytesField(${flexibleOf(field)})` : `r.bytesField(${flexibleOf(field)})`
      case 'records':
        return nullable ? `r.nullableRecords(${flexibleOf(field)})` : `r.records(${flexibleOf(field)})`
      case 'struct':
        return `read${nameOf(/** @type {Struct} */ (field.struct))}(r, version)`
      default:
        return `r.${field.type}()`
    }
  }
  /** @param {Field} field */
  const arrayLength = (field) =>
    `r.${isNullable(field) ? 'nullableArrayLength' : 'arrayLength'}(${flexibility}, ${elementMin(field)})`
  /** The loop reading `count` elements into `list`. @param {Field} field @param {string} list @param {string} count */
  const fill = (field, list, count) =>
    `for (let left = ${count}; left > 0 && r.failure === undefined; left--) ${list}.push(${readScalar({ ...field, array: false }, false)})`
  const elementType = (/** @type {Field} */ field) =>
    field.struct !== undefined ? nameOf(field.struct) : scalarTypes[/** @type {keyof typeof scalarTypes} */ (field.type)]

  /** Statements that declare and read the field in a struct known to be read at a version in `known`. @param {Field} field @param {Range} known */
  const readField = (field, known) => {
    const name = local(field.name)
    const when = field.tag === undefined ? condition(field.versions, known) : undefined
    const fieldRange = intersect(field.versions, known)
    // Kafka sends null as soon as the field is nullable in some version read here; in versions where it is not, null fails.
    const nullWhen = isNullable(field) ? condition(field.nullable, fieldRange) : 'false'
    if (field.array) {
      const list = `${elementType(field)}[]`
      if (!isNullable(field)) {
        const loop = fill(field, name, arrayLength(field))
        return `const ${name}: ${list} = []\n${when === undefined ? loop : `if (${when}) { ${loop} }`}`
      }
      const guard = nullWhen === undefined ? '' : `if (!(${nullWhen})) r.fail('null ${field.name}')\n`
      const body = `const n = ${arrayLength(field)}\nif (n < 0) { ${guard}${name} = null } else { const list: ${list} = []\n${fill(field, 'list', 'n')}\n${name} = list }`
      return `let ${name}: ${typeOf(field)} = ${defaultOf(field)}\n${when === undefined ? '' : `if (${when}) `}{ ${body} }`
    }
    let value
    if (field.struct !== undefined && isNullable(field)) {
      const present = field.tag === undefined ? 'r.structPresent()' : 'r.uvarint() !== 0'
      value = `${present} ? ${readScalar(field, false)} : null`
      if (when !== undefined) value = `(${value})`
    } else if (isNullable(field) && nullWhen !== undefined && nullWhen !== 'false') {
      value = `(${nullWhen}) ? ${readScalar(field, true)} : ${readScalar(field, false)}`
      if (when !== undefined) value = `(${value})`
    } else value = readScalar(field, isNullable(field))
    return when === undefined ? `const ${name} = ${value}` : `const ${name} = ${when} ? ${value} : ${defaultOf(field)}`
  }

  /** The body of a tagged field, assigned to its variable. @param {Field} field */
  const readTagged = (field) => {
    const name = local(field.name)
    if (!field.array) {
      const value =
        field.struct !== undefined && isNullable(field)
          ? `r.uvarint() !== 0 ? ${readScalar(field, false)} : null`
          : readScalar(field, isNullable(field))
      return `${name} = ${value}`
    }
    const toList = (/** @type {string} */ count) =>
      `const list: ${elementType(field)}[] = []\n${fill(field, 'list', count)}\n${name} = list`
    if (!isNullable(field)) return toList(arrayLength(field))
    return `const n = ${arrayLength(field)}\nif (n < 0) ${name} = null\nelse { ${toList('n')} }`
  }

  /** @param {Struct} struct */
  const emitReader = (struct) => {
    flexibility = flexibilityOf(struct)
    const known = /** @type {Range} */ (reach.get(struct))
    const untagged = struct.fields.filter((field) => field.tag === undefined)
    const tagged = struct.fields.filter((field) => field.tag !== undefined).sort(byTag)
    const lines = untagged.map((field) => readField(field, known))
    if (flexibilityOf(struct) !== 'false') {
      if (tagged.length === 0) {
        lines.push(
          flexibility === 'true'
            ? 'const unknownTaggedFields = r.unknownTags()'
            : 'const unknownTaggedFields = flexible ? r.unknownTags() : undefined',
        )
      } else {
        for (const field of tagged) lines.push(`let ${local(field.name)}: ${typeOf(field)} = ${defaultOf(field)}`)
        lines.push('let unknownTaggedFields: UnknownTaggedFields = undefined')
        const branches = tagged.map((field) => {
          const when = condition(field.versions, { low: Math.max(known.low, message.firstFlexible), high: known.high })
          return `if (tag === ${field.tag}${when === undefined ? '' : ` && ${when}`}) { ${readTagged(field)} } else `
        })
        const loop = `for (let tags = r.tagCount(); tags > 0 && r.failure === undefined; tags--) {
          const tag = r.uvarint()
          const end = r.openTag()
          ${branches.join('')}unknownTaggedFields = r.unknownTag(unknownTaggedFields, tag, end)
          r.closeTag(end)
        }`
        lines.push(flexibility === 'true' ? loop : `if (flexible) { ${loop} }`)
      }
    }
    const members = struct.fields.map((field) =>
      local(field.name) === field.name ? field.name : `${field.name}: ${local(field.name)}`,
    )
    if (flexibilityOf(struct) !== 'false') members.push('unknownTaggedFields')
    lines.push(`return { ${members.join(', ')} }`)
    return functionOf(`read${nameOf(struct)}`, 'r', 'ByteReader', '', nameOf(struct), lines)
  }

  /**
   * @param {string} name @param {'r' | 'w'} io @param {string} ioType @param {string} message_ @param {string} result @param {string[]} lines
   */
  const functionOf = (name, io, ioType, message_, result, lines) => {
    let body = lines.join('\n')
    if (/\bflexible\b/.test(body)) body = `const flexible = version >= ${message.firstFlexible}\n${body}`
    // A field may be called version; reading or setting it is not using the parameter.
    const version = /(?<![.\w])version\b(?!:)/.test(body) ? 'version' : '_version'
    const ioName = new RegExp(`\\b${io}\\b`).test(body) ? io : `_${io}`
    return `export function ${name}(${ioName}: ${ioType}, ${message_}${version}: number): ${result} {\n${body}\n}`
  }

  // ---- writing

  /** @param {Field} field @param {string} value @param {boolean} nullable */
  const writeScalar = (field, value, nullable) => {
    switch (field.type) {
      case 'string':
        return `w.${nullable ? 'nullableString' : 'string'}(${value}, ${flexibleOf(field)})`
      case 'bytes':
        return `w.${nullable ? 'nullableBytesField' : 'bytesField'}(${value}, ${flexibleOf(field)})`
      case 'records':
        return `w.${nullable ? 'nullableRecords' : 'records'}(${value}, ${flexibleOf(field)})`
      case 'struct':
        return `write${nameOf(/** @type {Struct} */ (field.struct))}(w, ${value}, version)`
      default:
        return `w.${field.type}(${value})`
    }
  }

  /** Statements writing the field's value, whatever its place. @param {Field} field @param {Range} known @param {string} where */
  const writeValue = (field, known, where) => {
    const value = `m.${field.name}`
    const nullWhen = isNullable(field) ? condition(field.nullable, intersect(field.versions, known)) : undefined
    const guard =
      nullWhen === undefined ? '' : `assert((${nullWhen}) || ${value} !== null, '${where} is not null in this version')\n`
    if (field.array) {
      const body = `w.arrayLength(${value}.length, ${flexibility})\nfor (const x of ${value}) ${writeScalar({ ...field, array: false, neverFlexible: false }, 'x', false)}`
      return guard + (isNullable(field) ? `if (${value} === null) w.nullArray(${flexibility})\nelse { ${body} }` : body)
    }
    if (field.struct !== undefined && isNullable(field)) {
      const [absent, present] = field.tag === undefined ? ['w.int8(-1)', 'w.int8(1)'] : ['w.uvarint(0)', 'w.uvarint(1)']
      return `${guard}if (${value} === null) ${absent}\nelse { ${present}\n${writeScalar(field, value, false)} }`
    }
    return guard + writeScalar(field, value, isNullable(field))
  }

  /** @param {Struct} struct */
  const emitWriter = (struct) => {
    flexibility = flexibilityOf(struct)
    const known = /** @type {Range} */ (reach.get(struct))
    const lines = []
    for (const field of struct.fields) {
      const where = `${nameOf(struct)}.${field.name}`
      const when = condition(field.versions, known)
      const absent =
        field.ignorable || when === undefined
          ? ''
          : `assert(${isDefault(field, `m.${field.name}`)}, '${where} is not in this version')`
      if (field.tag !== undefined) {
        if (absent !== '') lines.push(`if (!(${when})) ${absent}`)
        continue
      }
      const write = writeValue(field, known, where)
      if (when === undefined) lines.push(write)
      else lines.push(`if (${when}) { ${write} }${absent === '' ? '' : ` else ${absent}`}`)
    }
    if (flexibilityOf(struct) !== 'false') lines.push(writeTags(struct, known))
    return functionOf(
      `write${nameOf(struct)}`,
      'w',
      'ByteWriter',
      `${lines.some((line) => /\bm\b/.test(line)) ? 'm' : '_m'}: ${nameOf(struct)}, `,
      'void',
      lines,
    )
  }

  /** @param {Struct} struct @param {Range} known */
  const writeTags = (struct, known) => {
    const tagged = struct.fields.filter((field) => field.tag !== undefined).sort(byTag)
    const flexibleKnown = { low: Math.max(known.low, message.firstFlexible), high: known.high }
    const otherwise =
      flexibility === 'true'
        ? ''
        : `else assert(m.unknownTaggedFields === undefined, '${nameOf(struct)} has no tagged fields in this version')`
    const wrap = (/** @type {string} */ body) => (flexibility === 'true' ? body : `if (flexible) { ${body} } ${otherwise}`)
    if (tagged.length === 0) return wrap('w.unknownTags(m.unknownTaggedFields)')
    const present = tagged.map((field) => {
      const when = condition(field.versions, flexibleKnown)
      const set = `!(${isDefault(field, `m.${field.name}`)})`
      return `const has${upperFirst(field.name)} = ${when === undefined ? set : `${when} && ${set}`}`
    })
    const count = tagged.map((field) => `(has${upperFirst(field.name)} ? 1 : 0)`).join(' + ')
    const bodies = []
    let low = -1
    for (const field of tagged) {
      bodies.push(`w.unknownTagsBetween(m.unknownTaggedFields, ${low}, ${field.tag})`)
      bodies.push(
        `if (has${upperFirst(field.name)}) { const mark = w.openTag(${field.tag})\n${writeValue(field, flexibleKnown, `${nameOf(struct)}.${field.name}`)}\nw.closeTag(mark) }`,
      )
      low = /** @type {number} */ (field.tag)
    }
    bodies.push(`w.unknownTagsBetween(m.unknownTaggedFields, ${low}, Infinity)`)
    return wrap([...present, `w.uvarint(${count} + (m.unknownTaggedFields?.length ?? 0))`, ...bodies].join('\n'))
  }

  // ---- shapes

  /** @param {Struct} struct */
  const emitInterface = (struct) => {
    const range = /** @type {Range} */ (reach.get(struct))
    const lines = struct.fields.map((field) => {
      const at = []
      if (!covers(field.versions, range))
        at.push(
          field.versions.high >= message.versions.high
            ? `${field.versions.low}+`
            : field.versions.low === field.versions.high
              ? `${field.versions.low}`
              : `${field.versions.low}-${field.versions.high}`,
        )
      if (field.tag !== undefined) at.push(`tag ${field.tag}`)
      return `readonly ${field.name}: ${typeOf(field)}${at.length === 0 ? '' : ` // ${at.join(', ')}`}`
    })
    if (flexibilityOf(struct) !== 'false') lines.push('readonly unknownTaggedFields?: UnknownTaggedFields')
    return `export interface ${nameOf(struct)} {\n${lines.join('\n')}\n}`
  }

  /** @param {Struct} struct */
  const emitConstructor = (struct) => {
    const name = nameOf(struct)
    const taken_ = struct.fields.map(
      (field) => `${local(field.name) === field.name ? field.name : `${field.name}: ${local(field.name)}`} = ${defaultOf(field)}`,
    )
    const made = struct.fields.map((field) =>
      local(field.name) === field.name ? field.name : `${field.name}: ${local(field.name)}`,
    )
    if (flexibilityOf(struct) !== 'false') {
      taken_.push('unknownTaggedFields')
      made.push('unknownTaggedFields')
    }
    if (taken_.length === 0) return `export function ${lowerFirst(name)}(): ${name} { return {} }`
    return `export function ${lowerFirst(name)}(fields: Partial<${name}> = {}): ${name} {\nconst { ${taken_.join(', ')} } = fields\nreturn { ${made.join(', ')} }\n}`
  }

  const ordered = [...message.structs]
  const parts = ordered.map((struct) =>
    [emitInterface(struct), emitConstructor(struct), emitReader(struct), emitWriter(struct)].join('\n\n'),
  )
  const checks = ordered
    .filter((struct) => compared.has(struct))
    .map((struct) => {
      const terms = struct.fields.map((field) => isDefault(field, `m.${field.name}`))
      if (flexibilityOf(struct) !== 'false') terms.push('m.unknownTaggedFields === undefined')
      const all = terms.map((term) => (term.includes('&&') ? `(${term})` : term)).join(' && ')
      return `function isDefault${nameOf(struct)}(m: ${nameOf(struct)}): boolean {\nreturn ${shared.has(struct) ? `m === default${nameOf(struct)} || (${all})` : all || 'true'}\n}`
    })
  const constants = []
  // Children first: a constant is made by calling constructors that read the constants of inner structs.
  for (const struct of ordered) {
    if (shared.has(struct)) constants.push(`const default${nameOf(struct)}: ${nameOf(struct)} = ${lowerFirst(nameOf(struct))}()`)
  }
  return [...parts, ...checks, constants.join('\n')].filter((part) => part !== '').join('\n\n')
}

/** @param {Field} a @param {Field} b */
const byTag = (a, b) => /** @type {number} */ (a.tag) - /** @type {number} */ (b.tag)

/** @param {string} body @param {string} depth path from the generated file to src/protocol */
export function importsFor(body, depth) {
  const lines = []
  if (/\bassert\(/.test(body)) lines.push(`import { assert } from '${depth}../base/assert.ts'`)
  lines.push(`import type { ByteReader } from '${depth}codec/reader.ts'`)
  lines.push(`import type { ByteWriter } from '${depth}codec/writer.ts'`)
  if (/\bUnknownTaggedFields\b/.test(body)) lines.push(`import type { UnknownTaggedFields } from '${depth}codec/tagged-field.ts'`)
  if (/\bzeroUuid\b/.test(body)) lines.push(`import { zeroUuid } from '${depth}codec/text.ts'`)
  return lines.join('\n') + (/\bnoBytes\b/.test(body) ? '\n\nconst noBytes = new Uint8Array(0)' : '')
}

/**
 * One name per struct of a file. Request and response may define different structs under one name; then both get a prefix.
 * @param {readonly Message[]} messages
 */
export function nameStructs(messages) {
  /** @type {Map<Struct, string>} */
  const names = new Map()
  for (const message of messages) {
    for (const struct of message.structs) {
      const clash = messages.some((other) => other !== message && other.structs.some((one) => one.name === struct.name))
      const side = message.name.endsWith('Response') ? 'Response' : 'Request'
      names.set(struct, clash && struct !== message.root ? `${side}${struct.name}` : struct.name)
    }
  }
  return names
}
