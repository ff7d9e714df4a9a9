// The door of the transaction coordinator.

export { type Answer, TransactionCoordinator, type TransactionCoordinatorOptions, type TransactionFacts } from './coordinator.ts'
export type {
  PartitionSet,
  ProducerIdAndEpoch,
  TopicPartition,
  Transaction,
  TransactionError,
  TransactionStatus,
} from './core/transaction.ts'
export type { KeyedRecord, Marker, MarkerSink, ProducerIds, TransactionLog } from './ports.ts'
export { standardTransactionSettings, type TransactionSettings } from './settings.ts'
