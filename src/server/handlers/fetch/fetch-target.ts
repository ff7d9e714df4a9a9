// Owns what one fetch wants of one partition, for the length of a request or of a session. Not the reading (fetch-read.ts).

import type { FetchPartition, FetchTopic } from '../../../protocol/generated/fetch.ts'

export class FetchTarget {
  /** Empty where the request names topics by id. */
  readonly topicName: string
  readonly topicId: string
  readonly index: number
  fetchOffset = 0
  partitionMaxBytes = 0
  currentLeaderEpoch = -1
  /** What the client was told last, so that an incremental answer can leave out what has not changed. */
  toldHighWatermark = -1
  toldLogStartOffset = -1

  constructor(topic: Pick<FetchTopic, 'topic' | 'topicId'>, index: number) {
    this.topicName = topic.topic
    this.topicId = topic.topicId
    this.index = index
  }

  /** Beyond 2^53 no offset exists, so what is lost of it by Number makes it no less out of range. */
  update(wanted: FetchPartition): void {
    this.fetchOffset = Number(wanted.fetchOffset)
    this.partitionMaxBytes = Math.max(0, wanted.partitionMaxBytes)
    this.currentLeaderEpoch = wanted.currentLeaderEpoch
  }
}

export function targetsOf(topics: readonly FetchTopic[]): FetchTarget[] {
  const targets: FetchTarget[] = []
  for (const topic of topics) {
    for (const partition of topic.partitions) {
      const target = new FetchTarget(topic, partition.partition)
      target.update(partition)
      targets.push(target)
    }
  }
  return targets
}
