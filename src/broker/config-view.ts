// Owns how configs are shown to clients (DescribeConfigs): value, source, synonyms. Not what they mean (core/topic-settings.ts).

import type { ConfigDefinition } from '../protocol/generated/topic-configs.ts'
import type { ConfigEntry } from './api.ts'
import { brokerConfigDefinitions, type BrokerConfigLayers, dynamicBrokerConfigs, synonymsOf } from './core/broker-configs.ts'
import { topicConfigDefinitions } from './core/topic-settings.ts'

/** Kafka's ConfigSource codes (KIP-226). */
const source = { topic: 1, dynamicBroker: 2, dynamicAllBrokers: 3, staticBroker: 4, default: 5 } as const
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

/** Of a broker config: what is set at each level, and Kafka's default, by the name and its coarser synonyms. */
export function brokerSynonyms(name: string, layers: BrokerConfigLayers): readonly Synonym[] {
  const names = synonymsOf(name)
  const at = (values: ReadonlyMap<string, string>, level: number): readonly Synonym[] =>
    names.flatMap((one) => (values.has(one) ? [{ name: one, value: values.get(one) ?? null, source: level }] : []))
  const initial = names.flatMap((one) => {
    const value = brokerConfigDefinitions.get(one)?.default ?? null
    return value === null ? [] : [{ name: one, value, source: source.default }]
  })
  const all = [
    ...at(layers.own, source.dynamicBroker),
    ...at(layers.all, source.dynamicAllBrokers),
    ...at(layers.fixed, source.staticBroker).filter(
      ({ name: one, value }) => value !== brokerConfigDefinitions.get(one)?.default,
    ),
    ...initial,
  ]
  // As Kafka shows it: where nothing stands under the name itself (`log.retention.ms`), there is no synonym.
  const first = all.findIndex((synonym) => synonym.name === name)
  return first < 0 ? [] : all.slice(first)
}

export function topicConfigEntries(
  own: ReadonlyMap<string, string>,
  layers: BrokerConfigLayers,
  fixedDefaults: ReadonlyMap<string, string>,
): readonly ConfigEntry[] {
  return topicConfigDefinitions.map((definition) => {
    const { name, brokerSynonym } = definition
    const synonyms: Synonym[] = []
    const set = own.get(name)
    if (set !== undefined) synonyms.push({ name, value: set, source: source.topic })
    const ofBroker = fixedDefaults.get(name)
    if (brokerSynonym !== undefined) synonyms.push(...brokerSynonyms(brokerSynonym, layers))
    else if (ofBroker !== undefined) synonyms.push({ name, value: ofBroker, source: source.staticBroker })
    return entryOf(definition, synonyms, false)
  })
}

/** The broker's own configs by Kafka's names, as far as this broker has them. */
export function brokerConfigEntries(layers: BrokerConfigLayers): readonly ConfigEntry[] {
  return [...brokerConfigDefinitions.values()]
    .filter(({ name }) => layers.fixed.has(name) || dynamicBrokerConfigs.has(name))
    .map((definition) => {
      const { name } = definition
      return entryOf(definition, brokerSynonyms(name, layers), !dynamicBrokerConfigs.has(name))
    })
}

/** What is set for all brokers. */
export function allBrokersConfigEntries(configs: ReadonlyMap<string, string>): readonly ConfigEntry[] {
  return [...configs].sort().flatMap(([name, value]) => {
    const definition = brokerConfigDefinitions.get(name)
    if (definition === undefined) return []
    return [entryOf(definition, [{ name, value, source: source.dynamicAllBrokers }], !dynamicBrokerConfigs.has(name))]
  })
}

/** Configs of a group or of client metrics: what is set on it, over `fallback`. */
export function ownConfigEntries(
  definitions: readonly ConfigDefinition[],
  own: ReadonlyMap<string, string>,
  shown: { readonly source: number; readonly fallback: (definition: ConfigDefinition) => readonly Synonym[] },
): readonly ConfigEntry[] {
  return definitions.map((definition) => {
    const { name } = definition
    const set = own.get(name)
    const synonyms = set === undefined ? [] : [{ name, value: set, source: shown.source }]
    return entryOf(definition, [...synonyms, ...shown.fallback(definition)], false)
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
