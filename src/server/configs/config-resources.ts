// Owns what each kind of resource that has configs is: how it is found by type and name, what it shows, and how it is altered. Not the
// wire (handlers/).

import { isLogLevel, type LogLevel, logLevels, type LogLevels, rootLogger } from '../../base/log-levels.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { allBrokers, type ConfiguredKind, faultOfBrokerConfigs } from '../../broker/core/index.ts'
import { ownConfigEntries } from '../../broker/index.ts'
import { topicNameFault } from '../../model/topic-name.ts'
import { ErrorCode } from '../../protocol/index.ts'
import { type AlterConfigOpType, ConfigResourceType, ConfigSource } from '../../protocol/generated/enums.ts'
import type { ConfigChange, ConfigEntry, HandlerPorts, KafkaFailure } from '../ports.ts'
import { clientMetricsDefinitions, refusalOfClientMetrics } from './client-metrics.ts'
import { brokerNameOf, groupConfigDefinitions, refusalOfGroupConfigs } from './group-configs.ts'

type Configs = ReadonlyMap<string, string>
type Altered = Promise<Outcome<undefined, KafkaFailure>>

export type Operation = keyof typeof AlterConfigOpType

export interface ConfigResource {
  /** All that it has or could have, with the values in force. */
  entries(): readonly ConfigEntry[]
  /** What changes of lists begin with, where that is more than is shown. */
  alterable?(): readonly ConfigEntry[]
  /** Refuses what the change leaves when that is not good. */
  alter(change: ConfigChange, validateOnly: boolean): Altered
  /** Why a name that is not among the entries is refused at once; else the whole is judged. */
  refusalOfUnknown?(name: string): KafkaFailure
  /** Why a change of this kind is refused whatever it leaves. */
  refusalOfOperation?(operation: Operation, name: string): KafkaFailure | undefined
  /** Only IncrementalAlterConfigs knows it. */
  readonly onlyIncremental?: true
}

const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })

/** `judged` says why the outcome of a change is refused. */
const checked =
  (change: ConfigChange, judged: (configs: Configs) => KafkaFailure | undefined): ConfigChange =>
  (own) => {
    const wanted = change(own)
    const refusal = wanted.ok ? judged(wanted.value) : undefined
    return refusal === undefined ? wanted : fail(refusal)
  }

export function configResourceOf(ports: HandlerPorts, type: number, name: string): Outcome<ConfigResource, KafkaFailure> {
  switch (type) {
    case ConfigResourceType.TOPIC:
      return topicResource(ports, name)
    case ConfigResourceType.BROKER:
      return brokerResource(ports, name)
    case ConfigResourceType.BROKER_LOGGER:
      return loggerResource(ports, name)
    case ConfigResourceType.GROUP:
      return name === '' ? fail(invalid('Group name must not be empty')) : succeed(groupResource(ports, name))
    case ConfigResourceType.CLIENT_METRICS:
      return name === '' ? fail(invalid("Subscription name can't be empty")) : succeed(clientMetricsResource(ports, name))
    default:
      return fail(invalid(`Unknown resource type ${type}`))
  }
}

function topicResource({ broker }: HandlerPorts, name: string): Outcome<ConfigResource, KafkaFailure> {
  const badName = topicNameFault(name)
  if (badName !== undefined) return fail({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: badName })
  const topic = broker.topicByName(name)
  if (topic === undefined)
    return fail({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${name}' does not exist.` })
  return succeed({
    entries: () => broker.describeTopicConfigs(broker.topicByName(name) ?? topic),
    alter: (change, validateOnly) => broker.alterTopicConfigs(topic.id, change, validateOnly),
    refusalOfUnknown: (config) => ({ errorCode: ErrorCode.INVALID_CONFIG, message: `Unknown topic config name: ${config}` }),
  })
}

function faultOfBrokerName(nodeId: number, name: string): string | undefined {
  if (!/^-?\d+$/.test(name)) return `Broker id must be an integer, but it is: ${name}`
  return Number(name) === nodeId ? undefined : `Unexpected broker id, expected ${nodeId} or empty string, but received ${name}`
}

function brokerResource({ broker }: HandlerPorts, name: string): Outcome<ConfigResource, KafkaFailure> {
  const ofAll = name === allBrokers
  const fault = ofAll ? undefined : faultOfBrokerName(broker.nodeId, name)
  if (fault !== undefined) return fail(invalid(fault))
  const judged = (configs: Configs): KafkaFailure | undefined => {
    const wrong = faultOfBrokerConfigs(configs, ofAll)
    return wrong === undefined ? undefined : invalid(wrong)
  }
  return succeed({
    alterable: () => broker.describeBrokerConfigs(),
    entries: () => (ofAll ? broker.describeAllBrokersConfigs() : broker.describeBrokerConfigs()),
    alter: (change, validateOnly) =>
      broker.configs.alter('broker', ofAll ? allBrokers : String(broker.nodeId), checked(change, judged), validateOnly),
  })
}

function stored(
  { broker }: HandlerPorts,
  kind: ConfiguredKind,
  name: string,
  judged: (configs: Configs) => KafkaFailure | undefined,
): ConfigResource['alter'] {
  return (change, validateOnly) => broker.configs.alter(kind, name, checked(change, judged), validateOnly)
}

function groupResource(ports: HandlerPorts, name: string): ConfigResource {
  const { broker, settings } = ports
  return {
    entries: () =>
      ownConfigEntries(groupConfigDefinitions, broker.configs.of('group', name), {
        source: ConfigSource.GROUP_CONFIG,
        fallback: (definition) => broker.brokerConfigSynonyms(brokerNameOf(definition.name)),
      }),
    alter: stored(ports, 'group', name, (configs) => refusalOfGroupConfigs(configs, settings.groups)),
  }
}

function clientMetricsResource(ports: HandlerPorts, name: string): ConfigResource {
  const { broker } = ports
  return {
    entries: () =>
      ownConfigEntries(clientMetricsDefinitions, broker.configs.of('client-metrics', name), {
        source: ConfigSource.CLIENT_METRICS_CONFIG,
        fallback: () => [],
      }),
    alter: stored(ports, 'client-metrics', name, refusalOfClientMetrics),
  }
}

function loggerResource({ broker, logLevels: levels }: HandlerPorts, name: string): Outcome<ConfigResource, KafkaFailure> {
  if (name === '') return fail(invalid('Broker id must not be empty'))
  const fault = faultOfBrokerName(broker.nodeId, name)
  if (fault !== undefined) return fail(invalid(fault.replace(' or empty string', '')))
  const badConfig = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_CONFIG, message })
  return succeed({
    onlyIncremental: true,
    entries: () => levels.names().map((logger) => loggerEntry(logger, levels.levelOf(logger))),
    alter: (change, validateOnly) => Promise.resolve(alterLevels(levels, change, validateOnly)),
    refusalOfUnknown: (logger) => badConfig(`Logger ${logger} does not exist!`),
    refusalOfOperation: (operation, logger) => {
      if (operation === 'DELETE' && logger === rootLogger)
        return invalid(`Removing the log level of the ${rootLogger} logger is not allowed`)
      const isList = operation === 'APPEND' || operation === 'SUBTRACT'
      return isList ? invalid(`${operation} operation is not allowed for the BROKER_LOGGER resource`) : undefined
    },
  })
}

const loggerEntry = (name: string, value: string): ConfigEntry => ({
  name,
  value,
  readOnly: false,
  isDefault: false,
  source: ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG,
  sensitive: false,
  type: 0,
  documentation: null,
  synonyms: [],
})

function alterLevels(levels: LogLevels, change: ConfigChange, validateOnly: boolean): Outcome<undefined, KafkaFailure> {
  const before = levels.own()
  const wanted = change(before)
  if (!wanted.ok) return wanted
  const own = new Map<string, LogLevel>()
  for (const [name, level] of wanted.value) {
    if (!isLogLevel(level)) {
      const valid = [...logLevels].sort().join(', ')
      const message = `Cannot set the log level of ${name} to ${level} as it is not a supported log level. Valid log levels are ${valid}`
      return fail({ errorCode: ErrorCode.INVALID_CONFIG, message })
    }
    own.set(name, level)
  }
  if (!validateOnly) levels.replace(own)
  return succeed(undefined)
}
