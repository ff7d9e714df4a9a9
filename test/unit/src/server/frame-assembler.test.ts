// Owns the claims about cutting a stream into requests that a socket cannot show: buffers, growth, budget.

import { describe, expect, it } from 'vitest'
import { seededPrng } from '../../../../src/base/prng.ts'
import { Budget } from '../../../../src/server/listener/budget.ts'
import { type FrameBounds, FrameAssembler, requestBytesMin } from '../../../../src/server/listener/frame-assembler.ts'

const upTo = (bytesMax: number) => (): FrameBounds => ({ bytesMin: requestBytesMin, bytesMax })

const frame = (body: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(4 + body.length)
  new DataView(bytes.buffer).setInt32(0, body.length)
  bytes.set(body, 4)
  return bytes
}

const concat = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

describe('the frame assembler', () => {
  it('finds the same frames in any slicing of the stream, and owes the budget nothing afterwards', () => {
    const prng = seededPrng(3)
    for (let round = 0; round < 200; round += 1) {
      const bodies = Array.from({ length: 1 + prng.below(6) }, () =>
        Uint8Array.from({ length: 8 + prng.below(prng.below(4) === 0 ? 20_000 : 60) }, () => prng.below(256)),
      )
      const stream = concat(bodies.map(frame))
      const budget = new Budget(1 << 20)
      const assembler = new FrameAssembler(budget, upTo(1 << 20))
      const found: Uint8Array[] = []
      for (let at = 0; at < stream.length;) {
        const step = 1 + prng.below(prng.below(3) === 0 ? 9000 : 50)
        assembler.push(stream.slice(at, at + step))
        at += step
        for (let next = assembler.next(); next.kind === 'frame'; next = assembler.next()) found.push(next.bytes)
      }
      expect(found.map((bytes) => [...bytes])).toEqual(bodies.map((bytes) => [...bytes]))
      expect([budget.used, assembler.midFrame]).toEqual([0, false])
    }
  })

  it('takes no more memory than 64 times what has arrived', () => {
    const budget = new Budget(200 << 20)
    const assembler = new FrameAssembler(budget, upTo(100 << 20))
    const size = new Uint8Array(4)
    new DataView(size.buffer).setInt32(0, 100 << 20)
    assembler.push(size)
    expect(assembler.next().kind).toBe('partial')
    expect(budget.used).toBe(0)
    for (let arrived = 100; arrived <= 100_000; arrived *= 10) {
      assembler.push(new Uint8Array(arrived))
      assembler.next()
      expect(budget.used).toBeLessThanOrEqual(Math.max(4096, 64 * 64 * arrived))
    }
    assembler.discard()
    expect(budget.used).toBe(0)
  })

  it('waits for the budget with what has come, and goes on when there is room', () => {
    const budget = new Budget(50_000)
    budget.take(40_000)
    const assembler = new FrameAssembler(budget, upTo(30_000))
    const bytes = frame(new Uint8Array(30_000).fill(5))
    assembler.push(bytes.slice(0, 1000))
    expect(assembler.next().kind).toBe('waiting')
    let woken = 0
    budget.wait(() => {
      woken += 1
    })
    budget.giveBack(40_000)
    expect(woken).toBe(1)
    expect(assembler.next().kind).toBe('partial')
    assembler.push(bytes.slice(1000))
    const next = assembler.next()
    expect(next.kind === 'frame' && next.bytes.every((byte) => byte === 5)).toBe(true)
  })

  it('gives a frame that spans chunks a buffer of its own, of its size', () => {
    const assembler = new FrameAssembler(new Budget(1 << 20), upTo(1 << 20))
    const bytes = frame(new Uint8Array(100_000))
    assembler.push(bytes.slice(0, 60_000))
    assembler.next()
    assembler.push(bytes.slice(60_000))
    const next = assembler.next()
    expect(next.kind === 'frame' && next.bytes.buffer.byteLength).toBe(100_000)
  })
})

describe('a budget', () => {
  it('lets one taker go beyond it when nothing else is taken, and wakes in order', () => {
    const budget = new Budget(10)
    expect(budget.tryTake(50)).toBe(true)
    expect(budget.tryTake(1)).toBe(false)
    const woken: string[] = []
    budget.wait(() => {
      woken.push('first')
      budget.take(10)
    })
    budget.wait(() => woken.push('second'))
    budget.giveBack(50)
    expect(woken).toEqual(['first'])
    expect(budget.contended).toBe(true)
    budget.giveBack(10)
    expect(woken).toEqual(['first', 'second'])
  })
})
