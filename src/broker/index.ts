// The door of the broker.

export type { Broker, PartitionView, TopicView } from './api.ts'
export { Archiver, type ArchiverOptions } from './archiver.ts'
export { BucketArchive } from './bucket-archive.ts'
export { Compactor, type CompactorOptions } from './compactor.ts'
export { ownConfigEntries } from './config-view.ts'
export { InternalTopicLog } from './internal-topic-log.ts'
export { isInternalTopic, offsetsTopic, transactionStateTopic } from './internal-topics.ts'
export { Partition } from './partition/partition.ts'
export type { Archive, BrokerWorld, FindByTimestamp, LogNode, OpenRecords } from './ports.ts'
export { type BrokerSettings, type BrokerStart, StandaloneBroker } from './standalone-broker.ts'
