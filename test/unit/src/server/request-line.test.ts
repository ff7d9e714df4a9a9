// Owns the rules of order on one connection, by exhaustive random schedules.

import { describe, expect, it } from 'vitest'
import { seededPrng } from '../../../../src/base/prng.ts'
import { type Answer, RequestLine, type RequestOrder } from '../../../../src/server/listener/request-line.ts'

const reason = (number: number): Answer => ({ kind: 'close', reason: String(number) })

describe('the line of requests', () => {
  it('answers in order of arrival; serial ones run alone, pipelined ones beside each other', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const prng = seededPrng(seed)
      const answered: string[] = []
      const started: number[] = []
      let released = 0
      const running = new Map<number, { readonly order: RequestOrder; readonly answer: (answer: Answer) => void }>()
      const line = new RequestLine(
        (answer) => answered.push(answer.kind === 'close' ? answer.reason : ''),
        (bytes) => {
          released += bytes
        },
      )
      const total = 20
      let pushed = 0
      while (answered.length < total) {
        if (pushed < total && prng.below(2) === 0) {
          const number = pushed++
          const order: RequestOrder = prng.below(3) === 0 ? 'serial' : 'pipelined'
          const atOnce = prng.below(3) === 0
          const start = (answer: (answer: Answer) => void): void => {
            if (order === 'serial') expect(running.size).toBe(0)
            for (const other of running.values()) expect(other.order).toBe('pipelined')
            started.push(number)
            if (atOnce) answer(reason(number))
            else running.set(number, { order, answer })
          }
          line.push({ order, start, hurry: () => undefined }, 10)
        } else if (running.size > 0) {
          const [number, { answer }] = [...running][prng.below(running.size)]!
          running.delete(number)
          answer(reason(number))
        }
        expect(line.bytes).toBe(pushed * 10 - released)
      }
      expect(started).toEqual([...started].sort((one, other) => one - other))
      expect(answered).toEqual(Array.from({ length: total }, (_, number) => String(number)))
      expect([line.length, line.bytes]).toEqual([0, 0])
    }
  })

  it('stopped, hurries what runs, starts and answers nothing more, and gives all bytes back', () => {
    const answers: Answer[] = []
    let released = 0
    let hurried = 0
    const line = new RequestLine(
      (answer) => answers.push(answer),
      (bytes) => {
        released += bytes
      },
    )
    let finish: (answer: Answer) => void = () => undefined
    let startedLater = false
    const first = {
      order: 'serial' as const,
      start: (answer: (answer: Answer) => void) => {
        finish = answer
      },
      hurry: () => {
        hurried += 1
      },
    }
    line.push(first, 5)
    line.push({ ...first, start: () => (startedLater = true) }, 7)
    line.stop()
    expect([hurried, released]).toEqual([1, 7])
    finish(reason(1))
    expect([answers, released, startedLater]).toEqual([[], 12, false])
  })
})
