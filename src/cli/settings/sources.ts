// Owns how each source of settings is read into one flat form: key, text, and where it was written. Not what the texts mean
// (load.ts). A name that does not exist is a problem that says which one is near.

import { TomlError, parse as parseToml } from 'smol-toml'
import { yesNo } from './kinds.ts'
import { nearest } from './nearest.ts'
import { type SettingKey, environmentOf, flagsOf, listenerTlsKey, settingKeys, settingOf, topicDefaultsKey } from './schema.ts'

export interface SettingProblem {
  /** The setting, or the unknown name as it was written. */
  readonly setting: string
  readonly source: string
  /** What is wrong and what to do. Never holds a secret. */
  readonly detail: string
}

export interface Written {
  readonly text: string
  /** For messages: `file chronik.toml`, `environment S3_BUCKET`, `flag --kafka-listen`. */
  readonly source: string
}

/** What one source says. A source never throws: what it cannot read is a problem. */
export interface SourceReading {
  readonly written: ReadonlyMap<SettingKey, Written>
  readonly topicDefaults: ReadonlyMap<string, Written>
  /** By `listener.setting`. */
  readonly listenerTls: ReadonlyMap<string, Written>
  readonly problems: readonly SettingProblem[]
}

export interface SettingsFile {
  readonly path: string
  readonly text: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Names that begin like ours and belong to the file's path, the tests and the tools around the broker. */
const environmentOfOthers = [
  'CHRONIK_CONFIG',
  'CHRONIK_PROGRAM',
  'CHRONIK_TEST_',
  'CHRONIK_LOCALSTACK_',
  'CHRONIK_TOOLS_',
  'CHRONIK_INTEROP_',
  'CHRONIK_BENCH_',
]
/** Settings whose names are not all in the schema: in one variable, or one flag, stand `name=value;name=value`. */
const tables = [
  { key: topicDefaultsKey, environment: 'CHRONIK_TOPIC_DEFAULTS', flag: '--topic-defaults', of: 'topicDefaults' },
  { key: listenerTlsKey, environment: 'CHRONIK_LISTENER_TLS', flag: '--listener-tls', of: 'listenerTls' },
] as const
type Table = (typeof tables)[number]

class Reading implements SourceReading {
  readonly written = new Map<SettingKey, Written>()
  readonly topicDefaults = new Map<string, Written>()
  readonly listenerTls = new Map<string, Written>()
  readonly problems: SettingProblem[] = []

  unknown(name: string, source: string, names: readonly string[]): void {
    const near = nearest(name, names)
    const remedy = near === undefined ? '`chronik config` lists all settings' : `did you mean ${near}?`
    this.problems.push({ setting: name, source, detail: `no such setting; ${remedy}` })
  }

  problem(setting: string, source: string, detail: string): void {
    this.problems.push({ setting, source, detail })
  }

  /** `retention.ms=1000;cleanup.policy=compact,delete` */
  readTable({ key, of }: Table, text: string, source: string): void {
    for (const pair of text.split(';')) {
      const at = pair.indexOf('=')
      if (pair.trim() === '') continue
      if (at < 1) this.problem(key, source, 'write name=value;name=value')
      else this[of].set(pair.slice(0, at).trim(), { text: pair.slice(at + 1).trim(), source })
    }
  }
}

/** `{ a: { b: 1 } }` as `a.b` → 1: TOML's dotted keys are nested tables. */
function flatten(table: object, prefix: string, into: Map<string, unknown>): Map<string, unknown> {
  for (const [name, value] of Object.entries(table) as Array<[string, unknown]>) {
    const isTable = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    if (isTable) flatten(value, `${prefix}${name}.`, into)
    else into.set(`${prefix}${name}`, value)
  }
  return into
}

function isPlain(value: unknown): value is string | number | boolean | bigint {
  return ['string', 'number', 'boolean', 'bigint'].includes(typeof value)
}

function tomlTable(file: SettingsFile, reading: Reading): object {
  try {
    return normalized(parseToml(file.text))
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const what = cause.message.split('\n')[0]!.replace('Invalid TOML document: ', '')
    reading.problem(`line ${cause.line}`, `file ${file.path}`, `not TOML: ${what}`)
    return {}
  }
}

/** smol-toml's tables may have no prototype; ours are told from dates and arrays by theirs. */
function normalized(value: object): object {
  const entries = Object.entries(value) as Array<[string, unknown]>
  const isTable = (inner: unknown): inner is object =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) && !(Symbol.toPrimitive in inner)
  return Object.fromEntries(entries.map(([name, inner]) => [name, isTable(inner) ? normalized(inner) : inner]))
}

export function readFile(file: SettingsFile): SourceReading {
  const reading = new Reading()
  const source = `file ${file.path}`
  for (const [name, value] of flatten(tomlTable(file, reading), '', new Map())) {
    if (!isPlain(value)) {
      reading.problem(name, source, 'is neither a text, a number nor true or false')
      continue
    }
    const written = { text: String(value), source }
    const key = settingKeys.find((candidate) => candidate === name)
    const table = tables.find((one) => name.startsWith(`${one.key}.`))
    if (key !== undefined) reading.written.set(key, written)
    else if (table !== undefined) reading[table.of].set(name.slice(table.key.length + 1), written)
    else reading.unknown(name, source, [...settingKeys, ...tables.map((one) => one.key)])
  }
  return reading
}

/** An empty variable says nothing: compose files and shells set them for lack of a better way to unset. */
export function readEnvironment(environment: Environment): SourceReading {
  const reading = new Reading()
  const isSet = (name: string): boolean => (environment[name] ?? '') !== ''
  const known = new Set<string>(tables.map(({ environment: name }) => name))
  for (const key of settingKeys) {
    const names = environmentOf(key)
    for (const name of names) known.add(name)
    const [first, ...others] = names.filter(isSet)
    const name = first ?? settingOf(key).environmentLast?.find(isSet)
    if (name === undefined) continue
    const other = others.find((candidate) => environment[candidate] !== environment[name])
    if (other !== undefined) reading.problem(key, `environment ${name} and ${other}`, 'the two say different things; keep one')
    reading.written.set(key, { text: environment[name]!, source: `environment ${name}` })
  }
  for (const table of tables) {
    if (!isSet(table.environment)) continue
    reading.readTable(table, environment[table.environment]!, `environment ${table.environment}`)
  }
  for (const name of Object.keys(environment)) {
    const isOurs =
      name.startsWith('CHRONIK_') &&
      !environmentOfOthers.some((other) => name === other || (other.endsWith('_') && name.startsWith(other)))
    if (isOurs && !known.has(name)) {
      reading.unknown(
        name,
        'environment',
        [...known].filter((candidate) => candidate.startsWith('CHRONIK_')),
      )
    }
  }
  return reading
}

interface Argument {
  readonly flag: string
  /** The setting it names, if it names one. */
  readonly key: SettingKey | undefined
  readonly isNegated: boolean
  /** After `=`, if any. */
  readonly inline: string | undefined
}

const keysByFlag = new Map(settingKeys.flatMap((key) => flagsOf(key).map((flag) => [flag, key])))
const isYesNo = (key: SettingKey): boolean => settingOf(key).kind === yesNo

function parseArgument(argument: string): Argument {
  const at = argument.indexOf('=')
  const flag = at < 0 ? argument : argument.slice(0, at)
  const inline = at < 0 ? undefined : argument.slice(at + 1)
  const negated = keysByFlag.get(flag.replace(/^--no-/, '--'))
  if (flag.startsWith('--no-') && negated !== undefined && isYesNo(negated) && inline === undefined) {
    return { flag, key: negated, isNegated: true, inline }
  }
  return { flag, key: keysByFlag.get(flag), isNegated: false, inline }
}

/** What the argument says by itself, or undefined when its value is the next argument. */
function ownText({ key, isNegated, inline }: Argument, next: string | undefined): string | undefined {
  if (inline !== undefined) return inline
  if (isNegated) return 'false'
  return key !== undefined && isYesNo(key) && next !== 'true' && next !== 'false' ? 'true' : undefined
}

/** `--key value`, `--key=value`; for yes-or-no settings also `--key` and `--no-key`. */
export function readFlags(argv: readonly string[]): SourceReading {
  const reading = new Reading()
  const rest = [...argv]
  for (let written = rest.shift(); written !== undefined; written = rest.shift()) {
    const argument = parseArgument(written)
    const { flag, key, inline } = argument
    const source = `flag ${flag}`
    const table = tables.find((one) => one.flag === flag)
    if (!flag.startsWith('-')) {
      reading.problem(written, 'command line', 'is no flag; settings are written --name value')
    } else if (key === undefined && table === undefined) {
      reading.unknown(flag, 'flag', [...keysByFlag.keys(), ...tables.map((one) => one.flag), '--config'])
      // What follows an unknown flag is most likely its value, not a mistake of its own.
      if (inline === undefined && rest[0]?.startsWith('-') === false) rest.shift()
    } else {
      const text = ownText(argument, rest[0]) ?? rest.shift()
      if (text === undefined) reading.problem(key ?? table?.key ?? flag, source, 'has no value; write one after it')
      else if (key !== undefined) reading.written.set(key, { text, source })
      else if (table !== undefined) reading.readTable(table, text, source)
    }
  }
  return reading
}
