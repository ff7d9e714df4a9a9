// Owns what a topic's configs mean: which names exist, which values they take, and the settings the broker acts on. Not how they
// are stored (cluster-state.ts) nor shown (config-view.ts).

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { type ConfigDefinition, topicConfigs } from '../../protocol/generated/topic-configs.ts'
import type { CompressionTarget } from '../../protocol/index.ts'
import { faultOfConfigValue } from './config-values.ts'

export type Durability = 'quorum' | 'bucket'

/** The settings of one topic, resolved. `Infinity` stands for "no limit". */
export interface TopicSettings {
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly maxMessageBytes: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  /** Whether either bound is tighter than Kafka's default: then records are asked one by one, wherever they are. */
  readonly timestampsBounded: boolean
  /** What batches are packed in; absent: as the producer packed them. */
  readonly compression: CompressionTarget | undefined
  /** Whether retention may delete; a compacted-only topic keeps everything. */
  readonly deletes: boolean
  /** Whether records must have keys, of each of which the newest is kept. */
  readonly compacts: boolean
  /** Of the log, 0 to 1: what must be new before it is cleaned. */
  readonly minCleanableDirtyRatio: number
  /** Younger records are not compacted. */
  readonly minCompactionLagMs: number
  /** Older ones are, however few. */
  readonly maxCompactionLagMs: number
  /** How long a tombstone can be read after it was first compacted. */
  readonly deleteRetentionMs: number
  readonly durability: Durability
}

/** Ours, beside Kafka's: what an acknowledgement means (design.md, streaming to the bucket). */
export const durabilityConfig: ConfigDefinition = {
  name: 'chronik.durability',
  type: 'STRING',
  default: 'quorum',
  valid: '[quorum, bucket]',
  importance: 'HIGH',
}

export const topicConfigDefinitions: readonly ConfigDefinition[] = [
  ...topicConfigs.filter((one) => one.internal !== true),
  durabilityConfig,
]

const definitions: ReadonlyMap<string, ConfigDefinition> = new Map(topicConfigDefinitions.map((one) => [one.name, one]))

export const topicConfigDefinition = (name: string): ConfigDefinition | undefined => definitions.get(name)

/** What is wrong with a topic config, naming it and the remedy; undefined when it is good. */
export function checkTopicConfig(name: string, value: string): string | undefined {
  const definition = definitions.get(name)
  if (definition === undefined) return `Unknown topic config name: ${name}`
  return faultOfConfigValue(definition, value)
}

/** Checks all configs of a topic, answering them without the nulls (null resets to the default). */
export function checkTopicConfigs(configs: ReadonlyMap<string, string | null>): Outcome<ReadonlyMap<string, string>, string> {
  const kept = new Map<string, string>()
  for (const [name, value] of configs) {
    if (value === null) {
      if (!definitions.has(name)) return fail(`Unknown topic config name: ${name}`)
      continue
    }
    const wrong = checkTopicConfig(name, value)
    if (wrong !== undefined) return fail(wrong)
    kept.set(name, value)
  }
  return succeed(kept)
}

/** −1 is Kafka's "no limit" of retention, Long.MAX_VALUE its "never" of the rest. */
const limitless = (value: string): number => {
  const number = Number(value)
  return number < 0 || number >= 2 ** 62 ? Infinity : number
}

const defaultOf = (name: string): number => Number(definitions.get(name)?.default)

/** `compression.type` in terms of batches: `uncompressed` is a codec, `producer` is none. */
function compressionOf(value: (name: string) => string): CompressionTarget | undefined {
  const type = value('compression.type')
  switch (type) {
    case 'uncompressed':
      return { codec: 'none' }
    case 'gzip':
    case 'lz4':
    case 'zstd':
      return { codec: type, level: Number(value(`compression.${type}.level`)) }
    case 'snappy':
      return { codec: type }
    default:
      return undefined
  }
}

/** The settings from a topic's own configs over the broker's defaults, by Kafka's names; all values were checked before. */
export function resolveTopicSettings(own: ReadonlyMap<string, string>, defaults: ReadonlyMap<string, string>): TopicSettings {
  const value = (name: string): string => own.get(name) ?? defaults.get(name) ?? definitions.get(name)?.default ?? ''
  const policies = value('cleanup.policy')
    .split(',')
    .map((policy) => policy.trim())
  const timestampBeforeMaxMs = limitless(value('message.timestamp.before.max.ms'))
  const timestampAfterMaxMs = limitless(value('message.timestamp.after.max.ms'))
  return {
    retentionMs: limitless(value('retention.ms')),
    retentionBytes: limitless(value('retention.bytes')),
    segmentBytes: Number(value('segment.bytes')),
    segmentMs: limitless(value('segment.ms')),
    maxMessageBytes: Number(value('max.message.bytes')),
    timestampType: value('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    timestampBeforeMaxMs,
    timestampAfterMaxMs,
    timestampsBounded: timestampBeforeMaxMs !== Infinity || timestampAfterMaxMs < defaultOf('message.timestamp.after.max.ms'),
    compression: compressionOf(value),
    deletes: policies.includes('delete'),
    compacts: policies.includes('compact'),
    minCleanableDirtyRatio: Number(value('min.cleanable.dirty.ratio')),
    minCompactionLagMs: Number(value('min.compaction.lag.ms')),
    maxCompactionLagMs: limitless(value('max.compaction.lag.ms')),
    deleteRetentionMs: Number(value('delete.retention.ms')),
    durability: value(durabilityConfig.name) === 'bucket' ? 'bucket' : 'quorum',
  }
}

class AskedFor extends Map<string, string> {
  readonly names = new Set<string>()

  override get(name: string): undefined {
    this.names.add(name)
    return undefined
  }
}

function namesInForce(): ReadonlySet<string> {
  const asked = new AskedFor()
  resolveTopicSettings(asked, new Map())
  return asked.names
}

/** The topic configs that do something here. The others are taken of topics, for clients set them, and of the broker are not. */
export const topicConfigsInForce: ReadonlySet<string> = namesInForce()
