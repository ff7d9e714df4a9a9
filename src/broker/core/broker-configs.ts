// Owns which configs of a broker may be changed while it runs (KIP-226), what they may be, and which value is in force. Not where they
// are kept (resource-configs.ts) nor how they are shown (config-view.ts). Who obeys a config reads it when it acts.

import { brokerConfigs, type ConfigDefinition, topicConfigs } from '../../protocol/generated/topic-configs.ts'
import { faultOfConfigValue } from './config-values.ts'
import { checkTopicConfig, topicConfigsInForce } from './topic-settings.ts'

/** The values of a broker, the strongest first: set for this one, set for all, of its file, environment and flags. */
export interface BrokerConfigLayers {
  readonly own: ReadonlyMap<string, string>
  readonly all: ReadonlyMap<string, string>
  readonly fixed: ReadonlyMap<string, string>
}

export const brokerConfigDefinitions: ReadonlyMap<string, ConfigDefinition> = new Map(brokerConfigs.map((one) => [one.name, one]))

/** By the broker's name for it: the topic config it is the default of. */
const topicNames: ReadonlyMap<string, string> = new Map(
  topicConfigs.flatMap(({ name, brokerSynonym }) => (brokerSynonym === undefined ? [] : [[brokerSynonym, name] as const])),
)

const isDefaultOfTopics = (name: string): boolean =>
  topicConfigsInForce.has(topicNames.get(name) ?? '') && brokerConfigDefinitions.get(name)?.dynamic !== undefined

/** Beside the defaults of topics, what the parts of this broker read each time they need it. */
const obeyed = [
  'max.connections',
  'max.connections.per.ip',
  'max.connections.per.ip.overrides',
  'producer.id.expiration.ms',
  'log.cleaner.backoff.ms',
  'log.cleaner.dedupe.buffer.size',
  'log.cleaner.io.max.bytes.per.second',
]

export const dynamicBrokerConfigs: ReadonlySet<string> = new Set([
  ...brokerConfigs.map(({ name }) => name).filter(isDefaultOfTopics),
  ...obeyed,
])

/** Kafka's other units of the same duration, which a broker falls back to. */
const coarser: Readonly<Record<string, readonly string[]>> = {
  'log.retention.ms': ['log.retention.minutes', 'log.retention.hours'],
  'log.roll.ms': ['log.roll.hours'],
  'log.roll.jitter.ms': ['log.roll.jitter.hours'],
  'log.flush.interval.ms': ['log.flush.scheduler.interval.ms'],
}

export const synonymsOf = (name: string): readonly string[] => [name, ...(coarser[name] ?? [])]

/** The value that is set, or undefined where Kafka's default is in force. */
export const brokerConfigInForce = ({ own, all, fixed }: BrokerConfigLayers, name: string): string | undefined =>
  own.get(name) ?? all.get(name) ?? fixed.get(name)

/** The defaults of topics, by their names: what was set while running over those of the settings. */
export function topicDefaultsInForce(
  { own, all }: BrokerConfigLayers,
  fixed: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const merged = new Map(fixed)
  for (const [brokerName, name] of topicNames) {
    const value = own.get(brokerName) ?? all.get(brokerName)
    if (value !== undefined) merged.set(name, value)
  }
  return merged
}

/** `10.0.0.1:50,[::1]:10` of max.connections.per.ip.overrides; undefined when it is not of that form. */
export function connectionOverrides(text: string): ReadonlyMap<string, number> | undefined {
  const overrides = new Map<string, number>()
  for (const word of text.split(',').filter((one) => one.trim() !== '')) {
    const [, bracketed, plain, count] = /^\s*(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,9})\s*$/.exec(word) ?? []
    const address = bracketed ?? plain
    if (address === undefined || count === undefined) return undefined
    overrides.set(address, Number(count))
  }
  return overrides
}

const listenerPrefixed = /^listener\.name\.[^.]+\./

/** Why these, as all that is set on a broker, or on all of them, are refused; in Kafka's words and order. */
export function faultOfBrokerConfigs(configs: ReadonlyMap<string, string>, ofAllBrokers: boolean): string | undefined {
  const names = [...configs.keys()]
  const isSecurity = (name: string): boolean =>
    name.startsWith('ssl.') && brokerConfigDefinitions.get(name)?.dynamic !== undefined
  const listed = (sentence: string, refused: readonly string[]): string | undefined =>
    refused.length === 0 ? undefined : `${sentence}: [${refused.join(', ')}]`
  const known = names.filter((name) => brokerConfigDefinitions.has(name) || listenerPrefixed.test(name))
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) return `Unknown broker config name: ${unknown}`
  const fixed = known.filter((name) => !dynamicBrokerConfigs.has(name) && !isSecurity(name) && !listenerPrefixed.test(name))
  return (
    listed('Cannot update these configs dynamically', fixed) ??
    listed(
      'These security configs can be dynamically updated only per-listener using the listener prefix',
      names.filter(isSecurity),
    ) ??
    listed(
      ofAllBrokers
        ? 'Cannot update these configs at default cluster level, broker id must be specified'
        : 'Cannot update these configs dynamically; a listener has them from the settings of its broker, which takes changed certificate files by itself',
      names.filter((name) => listenerPrefixed.test(name)),
    ) ??
    faultOfValues(configs)
  )
}

function faultOfValues(configs: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of configs) {
    const definition = brokerConfigDefinitions.get(name)
    const topicName = topicNames.get(name)
    const wrong = definition === undefined ? undefined : faultOfConfigValue(definition, value)
    // What a topic cannot have, it cannot inherit.
    const fault = wrong ?? (topicName === undefined ? undefined : checkTopicConfig(topicName, value))
    if (fault !== undefined) return fault
  }
  if (Number(configs.get('max.connections') ?? 1) === 0)
    return 'Invalid value 0 for configuration max.connections: nobody could connect to take it back'
  const overrides = connectionOverrides(configs.get('max.connections.per.ip.overrides') ?? '')
  if (overrides === undefined) return 'max.connections.per.ip.overrides must be addresses with counts: 10.0.0.1:50,[fd00::1]:10'
  if (Number(configs.get('max.connections.per.ip') ?? 1) === 0 && ![...overrides.values()].some((count) => count > 0))
    return 'max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.'
  return undefined
}
