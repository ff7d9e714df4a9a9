// Owns topics as the core sees them: the broker's, and which of them an expression matches. Not when an expression is looked at
// (core/consumer/subscription.ts).

import type { RE2JS } from 're2js'
import type { KnownTopic, TopicView } from './core/consumer/topics.ts'
import { compileExpression } from './expression.ts'
import type { GroupTopics } from './ports.ts'

/** Expressions whose matches are remembered; beyond it, all are forgotten. Groups with one expression ask for it at each change. */
const rememberedMax = 1_000

interface Remembered {
  readonly version: number
  readonly expression: RE2JS | undefined
  readonly names: readonly string[] | undefined
}

export class BrokerTopics implements TopicView {
  readonly #topics: GroupTopics
  readonly #remembered = new Map<string, Remembered>()

  constructor(topics: GroupTopics) {
    this.#topics = topics
  }

  get version(): number {
    return this.#topics.version()
  }

  topic(name: string): KnownTopic | undefined {
    const id = this.#topics.topicIdOf(name)
    const partitionCount = this.#topics.partitionCountOf(name)
    return id === undefined || partitionCount === undefined ? undefined : { id, partitionCount }
  }

  nameOf(topicId: string): string | undefined {
    return this.#topics.nameOf(topicId)
  }

  matching(text: string): readonly string[] | undefined {
    const present = this.#remembered.get(text)
    const { version } = this
    if (present?.version === version) return present.names
    const expression = present === undefined ? compileExpression(text) : present.expression
    const names =
      expression === undefined ? undefined : [...this.#topics.names()].filter((name) => expression.matches(name)).sort()
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear()
    this.#remembered.set(text, { version, expression, names })
    return names
  }
}
