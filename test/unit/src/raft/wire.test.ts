import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameReader, FrameTooLong } from '../../../../src/raft/transport/frame-reader.ts'
import { decodeFrame, encodeHello, encodeMessages, encodeRefusal, encodeSupport } from '../../../../src/raft/transport/wire.ts'
import { everyMessage } from '../../../contract/raft/support/messages.ts'

const ends = { from: 1, to: 2 }
const bodyOf = (frame: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(frame).subarray(4))

it('every message is read as it was written', () => {
  const envelopes = everyMessage(1, 2)
  expect(decodeFrame(bodyOf(encodeMessages(envelopes)), ends)).toEqual({ ok: true, value: { kind: 'messages', envelopes } })
})

it('a hello, a refusal, a request and an answer are read as they were written', () => {
  const hello = { version: 1, clusterId: 'c', from: 1, to: 2, channel: 'support' } as const
  expect(decodeFrame(bodyOf(encodeHello(hello)), ends)).toEqual({ ok: true, value: { kind: 'hello', hello } })
  expect(decodeFrame(bodyOf(encodeRefusal('no')), ends)).toEqual({ ok: true, value: { kind: 'refusal', why: 'no' } })
  const request = { kind: 'request', epoch: 2 ** 45, sentMs: 0.25 } as const
  const answer = { kind: 'answer', epoch: 7, sentMs: 1e9, isGranted: false, epochMin: 8, boot: 3 } as const
  for (const message of [request, answer])
    expect(decodeFrame(bodyOf(encodeSupport(message)), ends)).toEqual({ ok: true, value: { kind: 'support', message } })
})

it('large payloads go by reference', () => {
  const frame = encodeMessages(everyMessage(1, 2))
  const payload = everyMessage(1, 2)[0]!.message.entries[3]!.payload
  expect(frame.some((part) => part.length === payload.length)).toBe(true)
})

it('whatever comes is read or refused, and nothing is claimed that is not there', () => {
  const whole = bodyOf(encodeMessages(everyMessage(1, 2).slice(1)))
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
      const changed = whole.slice()
      changed[at] = byte
      const decoded = decodeFrame(changed, ends)
      expect(typeof decoded.ok).toBe('boolean')
    }),
    { numRuns: 2_000 },
  )
  for (let length = 0; length < whole.length; length += 1) expect(decodeFrame(whole.subarray(0, length), ends).ok).toBe(false)
  // Four thousand million messages in five bytes.
  expect(decodeFrame(Uint8Array.of(3, 255, 255, 255, 255), ends)).toEqual({ ok: false, failure: 'truncated uint32 at byte 5' })
})

it('frames are found however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (frames, cuts) => {
        const stream = Buffer.concat(
          frames.flatMap((frame) => {
            const head = Buffer.alloc(4)
            head.writeUInt32BE(frame.length)
            return [head, frame]
          }),
        )
        const reader = new FrameReader(40)
        const found: number[][] = []
        let at = 0
        for (const cut of [...cuts, stream.length]) {
          for (const frame of reader.push(new Uint8Array(stream.subarray(at, at + cut)))) found.push([...frame])
          at = Math.min(stream.length, at + cut)
        }
        expect(found).toEqual(frames.map((frame) => [...frame]))
      },
    ),
  )
})

it('a frame longer than any may be is refused before it has come', () => {
  expect(() => new FrameReader(10).push(Uint8Array.of(0, 0, 0, 11))).toThrow(FrameTooLong)
})
