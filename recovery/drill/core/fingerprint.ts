// Owns what a fingerprint is: everything a Kafka client can see of a cluster, as plain values that can be compared and kept. Not the
// taking of one (it needs a network), nor the judgement of two (compare.ts).

/** One record batch as a fetch delivers it. */
export interface BatchPrint {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly records: number
  readonly sizeBytes: number
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  /** The CRC32C in the header: it covers all that a producer wrote, and nothing that a broker stamps. */
  readonly crc: number
  /** Of every byte, the stamped ones (base offset, leader epoch) included. */
  readonly sha256: string
}

/** The answer to "which offset has the first record at or after this time"; −1 where there is none. */
export interface TimeAnswer {
  readonly askedMs: number
  readonly offset: number
  readonly foundMs: number
  readonly leaderEpoch: number
}

export interface PartitionPrint {
  readonly partition: number
  readonly startOffset: number
  readonly endOffset: number
  /** From start to end, in order. */
  readonly batches: readonly BatchPrint[]
  readonly times: readonly TimeAnswer[]
}

export interface ConfigPrint {
  readonly name: string
  readonly value: string | null
  /** Kafka's number for where the value comes from: 1 the topic, 5 the default. */
  readonly source: number
}

export interface TopicPrint {
  readonly name: string
  readonly id: string
  readonly isInternal: boolean
  readonly configs: readonly ConfigPrint[]
  readonly partitions: readonly PartitionPrint[]
}

export interface MemberPrint {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly subscription: string
  readonly assignment: string
}

export interface CommittedPrint {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
}

export interface GroupPrint {
  readonly id: string
  readonly state: string
  readonly protocolType: string
  readonly protocol: string
  readonly members: readonly MemberPrint[]
  readonly offsets: readonly CommittedPrint[]
}

export interface Fingerprint {
  readonly clusterId: string
  readonly topics: readonly TopicPrint[]
  readonly groups: readonly GroupPrint[]
}

export interface PrintSize {
  readonly topics: number
  readonly partitions: number
  readonly batches: number
  readonly records: number
  readonly sizeBytes: number
  readonly configs: number
  readonly groups: number
  readonly committedOffsets: number
  readonly timeAnswers: number
}

/** How much a fingerprint covers: a comparison that found nothing says how much it looked at. */
export function sizeOf(print: Fingerprint): PrintSize {
  const partitions = print.topics.flatMap((topic) => topic.partitions)
  const sum = (of: (partition: PartitionPrint) => number): number => partitions.reduce((total, one) => total + of(one), 0)
  const overBatches = (of: (batch: BatchPrint) => number): number =>
    sum(({ batches }) => batches.reduce((total, one) => total + of(one), 0))
  return {
    topics: print.topics.length,
    partitions: partitions.length,
    batches: sum(({ batches }) => batches.length),
    records: overBatches(({ records }) => records),
    sizeBytes: overBatches(({ sizeBytes }) => sizeBytes),
    configs: print.topics.reduce((total, { configs }) => total + configs.length, 0),
    groups: print.groups.length,
    committedOffsets: print.groups.reduce((total, { offsets }) => total + offsets.length, 0),
    timeAnswers: sum(({ times }) => times.length),
  }
}
