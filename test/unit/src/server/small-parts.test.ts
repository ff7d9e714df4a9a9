// Owns the claims about the server's small pure parts: gathering, keeping bytes, limits, topic names, rate of log lines.

import { describe, expect, it } from 'vitest'
import { defaultLimits, limitsFor } from '../../../../src/server/index.ts'
import { gathered } from '../../../../src/server/listener/answer-queue.ts'
import { assertLimits } from '../../../../src/server/limits.ts'
import { isWorthKeeping, retained } from '../../../../src/server/retained-bytes.ts'
import { topicNameFault } from '../../../../src/model/topic-name.ts'

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill)

describe('gathering', () => {
  it('joins small neighbours, leaves large chunks as they are, and keeps every byte in place', () => {
    const large = bytes(10_000, 3)
    const chunks = [bytes(10, 1), bytes(20, 2), large, bytes(5, 4), large, bytes(7, 5), bytes(8, 6)]
    const result = gathered(chunks)
    expect(result.map(({ length }) => length)).toEqual([30, 10_000, 5, 10_000, 15])
    expect(result[1]).toBe(large)
    expect(Buffer.concat(result)).toEqual(Buffer.concat(chunks))
  })
})

describe('keeping bytes of a request', () => {
  it('copies what would pin far more than itself, and only that', () => {
    const chunk = new Uint8Array(65_536)
    const small = chunk.subarray(100, 200)
    expect(retained(small, small.length).buffer.byteLength).toBe(100)
    const most = chunk.subarray(0, 40_000)
    expect(retained(most, most.length)).toBe(most)
    const fifth = chunk.subarray(0, 13_000)
    expect(isWorthKeeping(fifth, 13_000)).toBe(false)
    expect(isWorthKeeping(fifth, 65_000)).toBe(true)
  })
})

describe('limits', () => {
  it('grow with what an operator asks for, so that none contradicts another', () => {
    const limits = limitsFor({
      connectionsMax: 10,
      requestBytesMax: 1 << 30,
      idleMs: 1000,
      answerBytesPerConnectionMax: 1 << 30,
      quotaWindows: { count: 3, ms: 500 },
      controllerQuotaWindows: { count: 4, ms: 600 },
    })
    expect(limits.quotas).toMatchObject({ windows: { count: 3, ms: 500 }, controllerWindows: { count: 4, ms: 600 } })
    expect(limits.listener.assemblyBytesMax).toBe(1 << 30)
    expect(() => {
      assertLimits({ ...defaultLimits, listener: { ...defaultLimits.listener, assemblyBytesMax: 1 } })
    }).toThrow(/largest request/)
  })
})

describe('a topic name', () => {
  it.each([
    ['a', true],
    ['A.b_c-9', true],
    ['x'.repeat(249), true],
    ['x'.repeat(250), false],
    ['', false],
    ['.', false],
    ['..', false],
    ['...', true],
    ['a b', false],
    ['ä', false],
    ['a/b', false],
  ])('%s: %s', (name, legal) => {
    expect(topicNameFault(name) === undefined).toBe(legal)
  })
})
