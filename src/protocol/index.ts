// Owns the door of the room: what other rooms use by name. Generated messages are imported from generated/ directly.

export { ByteReader } from './codec/reader.ts'
export { ScratchPool } from './codec/scratch.ts'
export type { UnknownTaggedField, UnknownTaggedFields } from './codec/tagged-field.ts'
export { isUuid, zeroUuid } from './codec/text.ts'
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
  sizeBytes,
  type RequestHeader,
} from './codec/frame.ts'
export { apiEntries, apiEntryOf, ApiKey, type ApiEntry, type ApiName } from './generated/api-table.ts'
export { apiCodecs, type ApiCodec, type ApiMessages } from './generated/codecs.ts'
export { ErrorCode, errorName, isRetriable, type ErrorName } from './generated/errors.ts'
