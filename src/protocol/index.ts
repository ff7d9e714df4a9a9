// Owns the door of the room: what other rooms use by name. Generated messages are imported from generated/ directly.

export { ByteReader } from './codec/reader.ts'
export { ScratchPool } from './codec/scratch.ts'
export type { UnknownTaggedField, UnknownTaggedFields } from './codec/tagged-field.ts'
export { briefly, isUuid, zeroUuid } from './codec/text.ts'
export { decodeVersioned, encodeVersioned, versionPrefixOf } from './codec/versioned.ts'
export { ByteWriter } from './codec/writer.ts'
export {
  closeFrame,
  decodeRequestHeader,
  decodeResponseHeader,
  openRequestFrame,
  openResponseFrame,
  requestHeaderVersion,
  responseHeaderVersion,
  frameSizeBytes,
  type RequestHeader,
} from './codec/frame.ts'
export { apiEntries, apiEntryOf, ApiKey, type ApiEntry, type ApiName } from './generated/api-table.ts'
export { apiCodecs, type ApiCodec, type ApiMessages } from './generated/codecs.ts'
export { ErrorCode, errorName, isRetriable, type ErrorName } from './generated/errors.ts'
export {
  attributesOf,
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  batchBytesOf,
  batchEnd,
  batchHeaderBytes,
  batchLengthOf,
  batchLengthOverhead,
  batchOffset,
  compressionOf,
  computeCrc,
  crcOf,
  hasDeleteHorizon,
  isControlBatch,
  isTransactional,
  lastOffsetDeltaOf,
  lastOffsetOf,
  leaderEpochOf,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  sequenceAfter,
  stampBaseOffset,
  stampCreateTime,
  stampLeaderEpoch,
  stampLogAppendTime,
  stampMaxTimestamp,
  timestampTypeOf,
  type CompressionCodec,
  type TimestampType,
} from './records/batch-header.ts'
export { controlRecordTypeOf, encodeTransactionMarker, readTransactionMarker, type TransactionMarker } from './records/control.ts'
export { decodeLegacyRecords } from './records/legacy.ts'
export { RecordCursor, type RecordHeader } from './records/record-cursor.ts'
export {
  currentRecord,
  decodeRecords,
  encodeBatch,
  findMaxTimestamp,
  findOffsetByTimestamp,
  openBatch,
  type BatchEncoding,
  type BatchToEncode,
  type Compress,
  type Decompress,
  type DecompressionFailure,
  type LogRecord,
  type Malformed,
  type OpenBatch,
  type TimestampedOffset,
} from './records/records.ts'
export {
  judgeRecords,
  recordErrorsMax,
  refuse,
  type RecordError,
  type RecordRules,
  type RefusedBatch,
  type TimestampBounds,
} from './records/judge-records.ts'
export { openProduced, type Codecs, type CompressionTarget, type OpenedBatch, type OpenOrder } from './records/open-produced.ts'
export { inspectProduced, validateProduceRecords, type ProducedBatch, type ProduceRules } from './records/validate.ts'
