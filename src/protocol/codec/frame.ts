// Owns the frame around a message: the four bytes of size and the request and response headers. Does not own the bodies
// (generated/) nor cutting frames out of a stream (the listener).
//
//   size int32 | request:  apiKey int16, apiVersion int16, correlationId int32, clientId int16-string, v2: tagged fields | body
//              | response: correlationId int32, v1: tagged fields                                                        | body

import { apiEntryOf, ApiKey } from '../generated/api-table.ts'
import type { ByteReader } from './reader.ts'
import type { UnknownTaggedFields } from './tagged-field.ts'
import type { ByteWriter } from './writer.ts'

export const frameSizeBytes = 4

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly unknownTaggedFields?: UnknownTaggedFields
}

/** 1 or 2. Holds for versions nobody speaks yet too: flexible once means flexible ever after. */
export function requestHeaderVersion(apiKey: number, apiVersion: number): 1 | 2 {
  const entry = apiEntryOf(apiKey)
  return entry !== undefined && apiVersion >= entry.firstFlexible ? 2 : 1
}

/** 0 or 1. An answer to ApiVersions is always read by a client that does not know yet what the broker speaks, hence 0. */
export function responseHeaderVersion(apiKey: number, apiVersion: number): 0 | 1 {
  if (apiKey === ApiKey.ApiVersions) return 0
  return requestHeaderVersion(apiKey, apiVersion) === 2 ? 1 : 0
}

/**
 * Reads a request header (without the size before it). Key, version and correlation id are as sent even when the rest is
 * malformed, so that an answer is possible; `r.failure` says whether the body may be read.
 */
export function decodeRequestHeader(r: ByteReader): RequestHeader {
  const apiKey = r.int16()
  const apiVersion = r.int16()
  const correlationId = r.int32()
  const clientId = r.nullableString(false)
  const unknownTaggedFields = requestHeaderVersion(apiKey, apiVersion) === 2 ? r.unknownTags() : undefined
  return { apiKey, apiVersion, correlationId, clientId, unknownTaggedFields }
}

/** Starts a request frame; answers the mark for `closeFrame`. */
export function openRequestFrame(w: ByteWriter, header: RequestHeader): number {
  const mark = w.openSize()
  w.int16(header.apiKey)
  w.int16(header.apiVersion)
  w.int32(header.correlationId)
  w.nullableString(header.clientId, false)
  if (requestHeaderVersion(header.apiKey, header.apiVersion) === 2) w.unknownTags(header.unknownTaggedFields)
  return mark
}

/** Reads a response header (without the size before it); answers the correlation id. */
export function decodeResponseHeader(r: ByteReader, apiKey: number, apiVersion: number): number {
  const correlationId = r.int32()
  if (responseHeaderVersion(apiKey, apiVersion) === 1) r.unknownTags()
  return correlationId
}

/** Starts the frame of the answer to `request`; answers the mark for `closeFrame`. */
export function openResponseFrame(w: ByteWriter, request: RequestHeader): number {
  const mark = w.openSize()
  w.int32(request.correlationId)
  if (responseHeaderVersion(request.apiKey, request.apiVersion) === 1) w.unknownTags(undefined)
  return mark
}

/** Fills in the size of the frame opened at `mark`. */
export function closeFrame(w: ByteWriter, mark: number): void {
  w.closeSize(mark)
}
