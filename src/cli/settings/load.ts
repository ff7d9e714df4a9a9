// Owns how settings come about: file < environment < flags over the schema's defaults, every value checked, then every relation, all
// problems told at once. Pure: reads no file and no environment itself.

import { type Outcome, fail, succeed } from '../../base/outcome.ts'
import { relations } from './relations.ts'
import { type SettingKey, type Settings, camelCase, listenerTlsKey, settingKeys, settingOf } from './schema.ts'
import {
  type Environment,
  type SettingProblem,
  type SettingsFile,
  type SourceReading,
  type Written,
  readEnvironment,
  readFile,
  readFlags,
} from './sources.ts'

export interface SettingsSources {
  readonly file: SettingsFile | undefined
  readonly env: Environment
  /** Flags of settings only, without the command's own. */
  readonly argv: readonly string[]
}

export interface EffectiveSetting {
  readonly key: string
  /** As one would write it; `***` for a secret that is set. */
  readonly shown: string
  /** `default`, or where it was written. */
  readonly source: string
}

export interface LoadedSettings {
  readonly settings: Settings
  readonly effective: readonly EffectiveSetting[]
}

const mask = '***'

/** One line: the setting, where it came from, what is wrong and what to do. */
export function describeProblem({ setting, source, detail }: SettingProblem): string {
  return `${setting} (${source}): ${detail}`
}

function strongest<Key>(maps: ReadonlyArray<ReadonlyMap<Key, Written>>): Map<Key, Written> {
  return new Map(maps.flatMap((map) => [...map]))
}

/** Adds defaults, in the schema's order: a derived one looks only at settings above it. */
function withDefaults(written: ReadonlyMap<SettingKey, Written>): Map<SettingKey, Written> {
  const complete = new Map<SettingKey, Written>()
  const textOf = (key: string): string => complete.get(key as SettingKey)?.text ?? ''
  for (const key of settingKeys) {
    const setting = settingOf(key)
    complete.set(key, written.get(key) ?? { text: setting.derive?.(textOf) ?? setting.default, source: 'default' })
  }
  return complete
}

function quoted(key: SettingKey, text: string): string {
  return settingOf(key).secret === true ? 'its value' : `\`${text}\``
}

interface Parsed {
  readonly values: ReadonlyMap<SettingKey, unknown>
  readonly problems: readonly SettingProblem[]
}

function parseAll(complete: ReadonlyMap<SettingKey, Written>): Parsed {
  const values = new Map<SettingKey, unknown>()
  const problems: SettingProblem[] = []
  for (const [key, { text, source }] of complete) {
    const parsed = settingOf(key).kind.parse(text)
    if (parsed.ok) values.set(key, parsed.value)
    else problems.push({ setting: key, source, detail: `${quoted(key, text)} ${parsed.failure}` })
  }
  return { values, problems }
}

/** `wal.file-bytes` becomes `wal.fileBytes`. The schema's types say that this has the shape of `Settings`. */
function nested(values: ReadonlyMap<SettingKey, unknown>, tables: Pick<Settings, 'topicDefaults' | 'listenerTls'>): Settings {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const [key, value] of values) {
    const at = key.indexOf('.')
    const section = (sections[camelCase(key.slice(0, at))] ??= {})
    section[camelCase(key.slice(at + 1))] = value
  }
  return { ...sections, ...tables } as unknown as Settings
}

const tlsSection = 'tls.'

/** `INTERNAL.certificate-file`: as the setting of `tls`, for one listener. Which listeners there are, the relations know. */
function parseListenerTls(written: ReadonlyMap<string, Written>): {
  readonly values: Settings['listenerTls']
  readonly effective: readonly EffectiveSetting[]
  readonly problems: readonly SettingProblem[]
} {
  const values: Record<string, Record<string, unknown>> = {}
  const effective: EffectiveSetting[] = []
  const problems: SettingProblem[] = []
  for (const [name, { text, source }] of written) {
    const shown = `${listenerTlsKey}.${name}`
    const [, listener, own] = /^([A-Za-z0-9_-]+)\.([a-z-]+)$/.exec(name) ?? []
    const key = settingKeys.find((one) => one === `${tlsSection}${own ?? ''}`)
    if (listener === undefined || own === undefined || key === undefined) {
      const names = settingKeys.filter((one) => one.startsWith(tlsSection)).map((one) => one.slice(tlsSection.length))
      problems.push({
        setting: shown,
        source,
        detail: `no such setting; after the listener's name stands one of ${names.join(', ')}`,
      })
      continue
    }
    const { kind, secret } = settingOf(key)
    const parsed = kind.parse(text)
    if (parsed.ok) (values[listener] ??= {})[camelCase(own)] = parsed.value
    else problems.push({ setting: shown, source, detail: `${quoted(key, text)} ${parsed.failure}` })
    effective.push({ key: shown, shown: secret === true && text !== '' ? mask : text, source })
  }
  return { values, effective, problems }
}

function breaches(settings: Settings, complete: ReadonlyMap<SettingKey, Written>): readonly SettingProblem[] {
  return relations.flatMap(({ about, breach }) => {
    const detail = breach(settings)
    if (detail === undefined) return []
    const source = [...new Set(about.map((key) => complete.get(key)!.source))].join(', ')
    return [{ setting: about.join(' and '), source, detail }]
  })
}

function effectiveSettings(complete: ReadonlyMap<SettingKey, Written>, parsed: Parsed): readonly EffectiveSetting[] {
  return [...complete].map(([key, { text, source }]) => {
    const { kind, secret } = settingOf(key)
    return { key, shown: secret === true && text !== '' ? mask : kind.show(parsed.values.get(key)), source }
  })
}

/** Every problem is told at once. Relations are looked at only when every single value is good. */
export function loadSettings({ file, env, argv }: SettingsSources): Outcome<LoadedSettings, readonly SettingProblem[]> {
  const readings: readonly SourceReading[] = [
    ...(file === undefined ? [] : [readFile(file)]),
    readEnvironment(env),
    readFlags(argv),
  ]
  const complete = withDefaults(strongest(readings.map(({ written }) => written)))
  const topicDefaults = strongest(readings.map((reading) => reading.topicDefaults))
  const listenerTls = parseListenerTls(strongest(readings.map((reading) => reading.listenerTls)))
  const parsed = parseAll(complete)
  const problems = [...readings.flatMap((reading) => reading.problems), ...parsed.problems, ...listenerTls.problems]
  if (problems.length > 0) return fail(problems)

  const settings = nested(parsed.values, {
    topicDefaults: Object.fromEntries([...topicDefaults].map(([name, { text }]) => [name, text])),
    listenerTls: listenerTls.values,
  })
  const broken = breaches(settings, complete)
  if (broken.length > 0) return fail(broken)
  const topics = [...topicDefaults].map(([name, { text, source }]) => ({ key: `topic-defaults.${name}`, shown: text, source }))
  return succeed({ settings, effective: [...effectiveSettings(complete, parsed), ...listenerTls.effective, ...topics] })
}
