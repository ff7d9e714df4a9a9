// Owns the TypeScript of the generated tables: APIs, error codes, configs, enums, dispatch. Does not own the messages (emit-message.mjs).

const lowerFirst = (/** @type {string} */ name) => name[0].toLowerCase() + name.slice(1)
const upperFirst = (/** @type {string} */ name) => name[0].toUpperCase() + name.slice(1)
const literal = (/** @type {unknown} */ value) => JSON.stringify(value)
/** The upper and lower limits of a Java long do not survive as a number. @param {unknown} value */
const constant = (value) => (typeof value === 'number' && !Number.isSafeInteger(value) ? `${BigInt(value)}n` : literal(value))

/** @param {any[]} keys api-keys.json @param {ReturnType<typeof import('./definitions.mjs').readApis>} apis */
export function emitApiTable(keys, apis) {
  const rows = keys.filter((key) => key.hasValidVersion)
  const entries = rows.map((key) => {
    const api = apis.find((one) => one.key === key.key)
    if (api === undefined) throw new Error(`no definition of ${key.message}`)
    const firstFlexible = Math.min(api.request.firstFlexible, 32767)
    checkHeaderVersions(key, firstFlexible)
    return {
      key: key.key,
      name: key.message,
      versionMin: key.min,
      versionMax: key.max,
      advertisedMin: key.advertisedMin,
      advertisedMax: key.advertisedMax,
      codecMin: api.request.versions.low,
      codecMax: api.request.versions.high,
      firstFlexible,
      onBroker: key.listeners.includes('broker'),
      clusterAction: key.clusterAction,
    }
  })
  return `/** Keys of the APIs by name. */
export const ApiKey = { ${rows.map((key) => `${upperFirst(key.message)}: ${key.key}`).join(', ')} } as const
export type ApiName = keyof typeof ApiKey
export type ApiKey = (typeof ApiKey)[ApiName]

export interface ApiEntry {
  readonly key: ApiKey
  readonly name: ApiName
  /** The versions Kafka 4 answers. */
  readonly versionMin: number
  readonly versionMax: number
  /** What Kafka's broker says in ApiVersions: unstable versions held back, Produce from 0 for the sake of old librdkafka. */
  readonly advertisedMin: number
  readonly advertisedMax: number
  /** The versions the codecs here speak: those of Kafka 4 and of 3.9. */
  readonly codecMin: number
  readonly codecMax: number
  /** 32767 where no version is. */
  readonly firstFlexible: number
  /** False for what only Kafka's controllers listen to. */
  readonly onBroker: boolean
  /** Between brokers only. */
  readonly clusterAction: boolean
}

export const apiEntries: readonly ApiEntry[] = [${entries.map((entry) => literal(entry)).join(',\n')}]

const byKey: readonly (ApiEntry | undefined)[] = Array.from({ length: ${Math.max(...rows.map((key) => key.key)) + 1} }, (_, key) =>
  apiEntries.find((entry) => entry.key === key),
)

/** Undefined for a key nobody knows, whatever number it is. */
export function apiEntryOf(key: number): ApiEntry | undefined {
  return byKey[key]
}
`
}

/** The header version follows from the first flexible version alone; here is where that is made sure of. @param {any} key @param {number} firstFlexible */
function checkHeaderVersions(key, firstFlexible) {
  for (let version = key.min; version <= key.max; version++) {
    const flexible = version >= firstFlexible
    const request = key.requestHeaderVersions[version - key.min]
    const response = key.responseHeaderVersions[version - key.min]
    if (request !== (flexible ? 2 : 1) || response !== (flexible && key.message !== 'ApiVersions' ? 1 : 0))
      throw new Error(`${key.message} ${version} has headers ${request} and ${response}`)
  }
}

/** @param {ReturnType<typeof import('./definitions.mjs').readApis>} apis @param {readonly { file: string, names: readonly string[], records: any[] }[]} blobs @param {(name: string) => string} fileOf */
export function emitCodecs(apis, blobs, fileOf) {
  const imports = apis.map((api) => {
    const functions = [api.request.name, api.response.name].flatMap((name) => [`read${name}`, `write${name}`])
    const types = [`type ${api.request.name}`, `type ${api.response.name}`]
    return `import { ${[...functions, ...types].join(', ')} } from './${fileOf(api.name)}.ts'`
  })
  const blobImports = blobs.map(
    ({ file, records }) =>
      `import { ${records.flatMap((one) => [`read${one.message.name}`, `write${one.message.name}`]).join(', ')} } from './${file}.ts'`,
  )
  const row = (/** @type {any} */ api) =>
    `[${api.key}, { readRequest: read${api.request.name}, writeRequest: write${api.request.name}, readResponse: read${api.response.name}, writeResponse: write${api.response.name} }]`
  const blob = (/** @type {any} */ one) =>
    `${one.message.name}: { versionMin: ${one.message.versions.low}, versionMax: ${one.message.versions.high}, recordType: ${one.recordType ?? 'undefined'}, read: read${one.message.name}, write: write${one.message.name} }`
  return `import type { ByteReader } from '../codec/reader.ts'
import type { ByteWriter } from '../codec/writer.ts'
${imports.join('\n')}
${blobImports.join('\n')}

/** The message types of each API, for handlers typed by name. */
export interface ApiMessages {
${apis.map((api) => `readonly ${upperFirst(api.name)}: { readonly request: ${api.request.name}; readonly response: ${api.response.name} }`).join('\n')}
}

/** The codecs of one API with the message types forgotten; the writers' callers hand in what the readers or constructors made. */
export interface ApiCodec {
  readRequest(r: ByteReader, version: number): unknown
  writeRequest(w: ByteWriter, m: never, version: number): void
  readResponse(r: ByteReader, version: number): unknown
  writeResponse(w: ByteWriter, m: never, version: number): void
}

export const apiCodecs: ReadonlyMap<number, ApiCodec> = new Map<number, ApiCodec>([${apis.map(row).join(',\n')}])

/** Headers, embedded blobs and the records of internal topics; \`recordType\` is what a record's key starts with. */
export interface BlobCodec {
  readonly versionMin: number
  readonly versionMax: number
  readonly recordType: number | undefined
  read(r: ByteReader, version: number): unknown
  write(w: ByteWriter, m: never, version: number): void
}

export const blobCodecs: Readonly<Record<string, BlobCodec>> = {${blobs.flatMap(({ records }) => records.map(blob)).join(',\n')}}
`
}

/** @param {any[]} errors */
export function emitErrors(errors) {
  return `export const ErrorCode = {
${errors.map((error) => `${error.name}: ${error.code}`).join(',\n')},
} as const
export type ErrorName = keyof typeof ErrorCode
export type ErrorCode = (typeof ErrorCode)[ErrorName]

const names: ReadonlyMap<number, ErrorName> = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name as ErrorName]))

/** The name of a code; \`UNKNOWN_SERVER_ERROR\` for a code Kafka has not. */
export function errorName(code: number): ErrorName {
  return names.get(code) ?? 'UNKNOWN_SERVER_ERROR'
}

const retriable: ReadonlySet<number> = new Set([${errors
    .filter((error) => error.retriable)
    .map((error) => error.code)
    .join(', ')}])

/** True when a client that gets this code tries again. */
export function isRetriable(code: number): boolean {
  return retriable.has(code)
}
`
}

/** @param {any} configs */
export function emitConfigs(configs) {
  const list = (/** @type {string} */ name, /** @type {any[]} */ rows, /** @type {string} */ comment) => `/** ${comment} */
export const ${name}: readonly ConfigDefinition[] = [${rows
    .map((row) => {
      const entry = {
        name: row.name,
        type: row.type,
        default: row.default ?? null,
        valid: row.valid,
        importance: row.importance,
        brokerSynonym: row.brokerSynonym,
      }
      return literal({ ...entry, ...(row.internal ? { internal: true } : {}), ...(row.dynamic ? { dynamic: row.dynamic } : {}) })
    })
    .join(',\n')}]`
  const types = [
    ...new Set(
      Object.values(configs)
        .flatMap((rows) => (Array.isArray(rows) ? rows : []).map((row) => row.type))
        .filter((type) => type !== undefined),
    ),
  ]
  const dynamics = [
    ...new Set(
      configs.broker.map((/** @type {any} */ row) => row.dynamic).filter((/** @type {any} */ value) => value !== undefined),
    ),
  ]
  return `export interface ConfigDefinition {
  readonly name: string
  readonly type: ${types.map((type) => literal(type)).join(' | ')}
  /** As text, the way DescribeConfigs shows it; null where there is none. */
  readonly default: string | null
  /** Kafka's notation of the allowed values. */
  readonly valid?: string
  readonly importance: 'HIGH' | 'MEDIUM' | 'LOW'
  /** The broker config a topic config falls back to. */
  readonly brokerSynonym?: string
  /** Not shown to clients. */
  readonly internal?: true
  /** How far the broker config may be changed while running. */
  readonly dynamic?: ${dynamics.map((value) => literal(value)).join(' | ')}
}

${list('topicConfigs', configs.topic, 'Configs of a topic.')}

${list('brokerConfigs', configs.broker, 'Configs of a broker.')}

${list('groupConfigs', configs.group, 'Configs of a group.')}
`
}

/** Coordinator-side states share names with the client-side enums. @param {string} name */
const enumName = (name) => name.split('.').map(upperFirst).join('')

/** @param {Record<string, any>} enums */
export function emitEnums(enums) {
  const parts = []
  for (const [key, value] of Object.entries(enums)) {
    const name = enumName(key)
    if (Array.isArray(value)) {
      const code = (/** @type {any} */ row) => row.code ?? row.text ?? (row.id === undefined ? row.name : row.id === 'true')
      parts.push(
        `export const ${name} = { ${value.map((row) => `${row.name}: ${literal(code(row))}`).join(', ')} } as const\nexport type ${name} = (typeof ${name})[keyof typeof ${name}]`,
      )
      const named = value.filter((row) => row.code !== undefined && row.text !== undefined)
      if (named.length > 0)
        parts.push(
          `export const ${lowerFirst(name)}Text: Readonly<Record<${name}, string>> = { ${named.map((row) => `${literal(String(row.code))}: ${literal(row.text)}`).join(', ')} }`,
        )
    } else if (key === 'AclSupportedOperations') {
      const rows = Object.entries(value).map(
        ([type, operations]) =>
          `${type}: [${/** @type {string[]} */ (operations).map((one) => `AclOperation.${one}`).join(', ')}]`,
      )
      parts.push(
        `/** The operations Kafka reports as authorized for each kind of resource. */\nexport const aclSupportedOperations = { ${rows.join(', ')} } as const`,
      )
    } else if (key === 'constants') {
      for (const [group, constants] of Object.entries(value)) {
        const rows = Object.entries(/** @type {Record<string, unknown>} */ (constants)).filter(([one]) => !one.endsWith('_MSG'))
        parts.push(
          `export const ${group}Constant = { ${rows.map(([one, given]) => `${one}: ${constant(given)}`).join(', ')} } as const`,
        )
      }
    } else throw new Error(`enums.json has a ${key} nobody expects`)
  }
  return parts.join('\n\n') + '\n'
}
