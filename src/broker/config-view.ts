// Owns how configs are shown to clients (DescribeConfigs): value, source, synonyms. Not what they mean (core/topic-settings.ts).

import { brokerConfigs, type ConfigDefinition } from '../protocol/generated/topic-configs.ts'
import type { ConfigEntry } from './api.ts'
import { topicConfigDefinitions } from './core/topic-settings.ts'

/** Kafka's ConfigSource codes (KIP-226). */
const source = { topic: 1, staticBroker: 4, default: 5 } as const
/** Kafka's ConfigType codes. */
const typeCodes: Readonly<Record<ConfigDefinition['type'], number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

type Synonym = ConfigEntry['synonyms'][number]

export function topicConfigEntries(
  own: ReadonlyMap<string, string>,
  brokerDefaults: ReadonlyMap<string, string>,
): readonly ConfigEntry[] {
  return topicConfigDefinitions.map((definition) => {
    const { name } = definition
    const synonyms: Synonym[] = []
    const set = own.get(name)
    if (set !== undefined) synonyms.push({ name, value: set, source: source.topic })
    const ofBroker = brokerDefaults.get(name)
    if (ofBroker !== undefined)
      synonyms.push({ name: definition.brokerSynonym ?? name, value: ofBroker, source: source.staticBroker })
    const initial = brokerDefault(definition.brokerSynonym)
    if (initial !== undefined) synonyms.push(initial)
    return entryOf(definition, synonyms, false)
  })
}

/** As Kafka shows it: where the broker's config of that name has no default of its own (`log.retention.ms`), there is no synonym. */
function brokerDefault(name: string | undefined): Synonym | undefined {
  const value = brokerConfigs.find((definition) => definition.name === name)?.default ?? null
  return name === undefined || value === null ? undefined : { name, value, source: source.default }
}

/** The broker's own configs by Kafka's names, as far as this broker has them. */
export function brokerConfigEntries(values: ReadonlyMap<string, string>): readonly ConfigEntry[] {
  return brokerConfigs
    .filter((definition) => values.has(definition.name))
    .map((definition) => {
      const { name } = definition
      const synonyms: Synonym[] = [{ name, value: values.get(name) ?? null, source: source.staticBroker }]
      if (definition.default !== null) synonyms.push({ name, value: definition.default, source: source.default })
      return entryOf(definition, synonyms, true)
    })
}

function entryOf(definition: ConfigDefinition, synonyms: readonly Synonym[], readOnly: boolean): ConfigEntry {
  const effective = synonyms[0]
  return {
    name: definition.name,
    value: effective?.value ?? definition.default,
    readOnly,
    isDefault: effective === undefined || effective.source === source.default,
    source: effective?.source ?? source.default,
    sensitive: definition.type === 'PASSWORD',
    type: typeCodes[definition.type],
    documentation: null,
    synonyms,
  }
}
