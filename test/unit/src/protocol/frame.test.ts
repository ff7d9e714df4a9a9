// Owns the proof that whole frames, headers included, are read and written as Kafka does.

import { expect, test } from 'vitest'
import { ByteReader } from '../../../../src/protocol/codec/reader.ts'
import {
  closeFrame,
  decodeRequestHeader,
  decodeResponseHeader,
  openRequestFrame,
  openResponseFrame,
  requestHeaderVersion,
  responseHeaderVersion,
} from '../../../../src/protocol/codec/frame.ts'
import { ByteWriter } from '../../../../src/protocol/codec/writer.ts'
import { apiCodecs, type ApiCodec } from '../../../../src/protocol/generated/codecs.ts'
import { fromHex, goldenLines, toHex } from './vectors.ts'

interface Frame {
  readonly api: string
  readonly key: number
  readonly type: 'request' | 'response'
  readonly version: number
  readonly correlationId: number
  readonly headerVersion: number
  readonly clientId?: string
  readonly frameHex: string
}

function checkRequest(frame: Frame, codec: ApiCodec): void {
  const r = new ByteReader(fromHex(frame.frameHex))
  expect(r.int32()).toBe(r.remaining)
  const header = decodeRequestHeader(r)
  expect(header).toEqual({
    apiKey: frame.key,
    apiVersion: frame.version,
    correlationId: frame.correlationId,
    clientId: frame.clientId,
  })
  expect(requestHeaderVersion(frame.key, frame.version)).toBe(frame.headerVersion)
  const body = codec.readRequest(r, frame.version)
  expect([r.failure, r.remaining]).toEqual([undefined, 0])
  const w = new ByteWriter()
  const mark = openRequestFrame(w, header)
  codec.writeRequest(w, body as never, frame.version)
  closeFrame(w, mark)
  expect(toHex(w.concat())).toBe(frame.frameHex)
}

function checkResponse(frame: Frame, codec: ApiCodec): void {
  const r = new ByteReader(fromHex(frame.frameHex))
  expect(r.int32()).toBe(r.remaining)
  expect(decodeResponseHeader(r, frame.key, frame.version)).toBe(frame.correlationId)
  expect(responseHeaderVersion(frame.key, frame.version)).toBe(frame.headerVersion)
  const body = codec.readResponse(r, frame.version)
  expect([r.failure, r.remaining]).toEqual([undefined, 0])
  const w = new ByteWriter()
  const request = { apiKey: frame.key, apiVersion: frame.version, correlationId: frame.correlationId, clientId: null }
  const mark = openResponseFrame(w, request)
  codec.writeResponse(w, body as never, frame.version)
  closeFrame(w, mark)
  expect(toHex(w.concat())).toBe(frame.frameHex)
}

test('every recorded frame is read whole and written back byte for byte', () => {
  const frames = goldenLines<Frame>('frames.jsonl.gz')
  for (const frame of frames) {
    const codec = apiCodecs.get(frame.key) as ApiCodec
    if (frame.type === 'request') checkRequest(frame, codec)
    else checkResponse(frame, codec)
  }
  expect(frames.length).toBe(322)
})

test('a header of an unknown API yields key, version and correlation id', () => {
  const header = decodeRequestHeader(new ByteReader(fromHex('7ffe0003010203040001' + '61' + 'ffff')))
  expect(header).toEqual({ apiKey: 0x7ffe, apiVersion: 3, correlationId: 0x01020304, clientId: 'a' })
})

test('a header of a version nobody speaks yet is read as the newest header', () => {
  const r = new ByteReader(fromHex('0012007f01020304ffff00'))
  const header = decodeRequestHeader(r)
  expect(header).toEqual({ apiKey: 18, apiVersion: 127, correlationId: 0x01020304, clientId: null })
  expect([r.failure, r.remaining]).toEqual([undefined, 0])
})

test('a header broken after the correlation id still says what to answer', () => {
  const r = new ByteReader(fromHex('001200040102030400ff61'))
  expect(decodeRequestHeader(r)).toMatchObject({ apiKey: 18, apiVersion: 4, correlationId: 0x01020304 })
  expect(r.failure).toMatch(/truncated string/)
})

test('an answer to ApiVersions has the oldest header in every version', () => {
  for (let version = 0; version < 10; version++) expect(responseHeaderVersion(18, version)).toBe(0)
})
