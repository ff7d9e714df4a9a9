// Owns what the consumer protocol must know of topics, and what a group's subscriptions come to: names, ids, and the hash by which a
// change is noticed. Not where topics are kept (../../ports.ts).

import { byText } from './partitions.ts'
import type { ConsumerState, ResolvedExpression, Subscriber } from './state.ts'

export interface KnownTopic {
  readonly id: string
  readonly partitionCount: number
}

/** Topics as they are now. */
export interface TopicView {
  /** Changes whenever topics or their partitions do. */
  readonly version: number
  topic(name: string): KnownTopic | undefined
  nameOf(topicId: string): string | undefined
  /** The topics whose whole name the expression matches, ascending; undefined: it is no expression. */
  matching(expression: string): readonly string[] | undefined
}

export const noTopics: TopicView = { version: 0, topic: () => undefined, nameOf: () => undefined, matching: () => [] }

/** The names a member subscribes to: its own and those its expression matched. */
export function* topicNamesOf(subscriber: Subscriber, expressions: ReadonlyMap<string, ResolvedExpression>): Generator<string> {
  yield* subscriber.topics
  if (subscriber.expression !== undefined) yield* expressions.get(subscriber.expression)?.topics ?? []
}

/** The ids of the subscribed topics that exist. */
export function topicIdsOf(
  subscriber: Subscriber,
  expressions: ReadonlyMap<string, ResolvedExpression>,
  topics: TopicView,
): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const name of topicNamesOf(subscriber, expressions)) {
    const topic = topics.topic(name)
    if (topic !== undefined) ids.add(topic.id)
  }
  return ids
}

/** Every name some member subscribes to. */
export function subscribedNames(state: ConsumerState): ReadonlySet<string> {
  const names = new Set<string>()
  for (const subscriber of state.subscribers.values()) {
    for (const name of topicNamesOf(subscriber, state.expressions)) names.add(name)
  }
  return names
}

/**
 * 64 bits over the subscribed topics that exist: names, ids, numbers of partitions. Only compared with itself, so it need not be
 * Kafka's: a log written by Kafka costs each group one rebalance when it moves here.
 */
export function metadataHashOf(state: ConsumerState, topics: TopicView): bigint {
  const hash = new Hash64()
  let any = false
  for (const name of [...subscribedNames(state)].sort(byText)) {
    const topic = topics.topic(name)
    if (topic === undefined) continue
    any = true
    hash.add(`${name}\n${topic.id}\n${topic.partitionCount}\n`)
  }
  return any ? hash.value : 0n
}

/** Two lanes of FNV-1a, 32 bits each, over UTF-16 units; the second starts elsewhere and also takes in the position. */
class Hash64 {
  #high = 0x811c9dc5
  #low = 0x01000193
  #at = 0

  add(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at)
      this.#at = (this.#at + 1) | 0
      this.#high = Math.imul(this.#high ^ unit, 0x01000193)
      this.#low = Math.imul(this.#low ^ (unit + Math.imul(this.#at, 0x9e3779b1)), 0x85ebca6b)
    }
  }

  /** As a signed 64-bit number, which the record holds; never 0, which says that there are no topics. */
  get value(): bigint {
    const whole = BigInt.asIntN(64, (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0))
    return whole === 0n ? 1n : whole
  }
}
