// Owns what an assignor is asked: who subscribes to what, and who had what. An assignor is a pure function of it.

import type { Partitions } from './partitions.ts'

export interface AssignorMember {
  readonly memberId: string
  /** Ids of topics that exist. */
  readonly topics: ReadonlySet<string>
  /** What the last assignment gave it. */
  readonly previous: Partitions
}

export interface AssignorAsk {
  /** In an order that does not change while the members do not. */
  readonly members: readonly AssignorMember[]
  readonly partitionCountOf: (topicId: string) => number
}
