import { expect, it } from 'vitest'
import { NodeSupport, type SupportAnswer } from '../../../../src/raft/core/index.ts'

const settings = { supportMs: 450, driftMax: 0.01, guardMs: 5 }
const counted = 450 * 0.98 - 5
const [asker, other] = [1, 2]

/** Two nodes whose clocks have nothing to do with each other. */
class Pair {
  asking = new NodeSupport(settings, 1, 0)
  promising = new NodeSupport(settings, 1, 50_000)

  /** One question, answered at once; `late`: how long the question was on its way. */
  ask(nowMs: number, late = 0): SupportAnswer {
    const answer = this.promising.onRequest(asker, this.asking.request(other, nowMs), 50_000 + nowMs + late)
    this.asking.onAnswer(other, answer, nowMs + late)
    return answer
  }
}

it('a node counts on a promise from when it asked, and less long than it lasts', () => {
  const pair = new Pair()
  expect(pair.asking.countedOn(other, 0)).toEqual({ epoch: 0, untilMs: 0 })
  pair.ask(1_000, 100)
  const { epoch, untilMs } = pair.asking.countedOn(other, 1_100)
  expect(epoch).toBe(pair.promising.promisedTo(asker))
  expect(untilMs).toBe(1_000 + counted)
  expect(pair.asking.countedOn(other, untilMs).epoch).toBe(0)
  expect(pair.promising.withdraw(50_000 + 1_100 + 449)).toEqual([])
  expect(pair.promising.withdraw(50_000 + 1_100 + 450)).toEqual([asker])
  expect(pair.promising.withdraw(50_000 + 9_000)).toEqual([])
  expect(pair.promising.promisedTo(asker)).toBe(0)
})

it('a promise that has ended is kept until it is withdrawn, and lengthened meanwhile', () => {
  const pair = new Pair()
  const { epoch } = pair.ask(0)
  expect(pair.ask(2_000)).toMatchObject({ epoch, isGranted: true })
  expect(pair.promising.promisedTo(asker)).toBe(epoch)
})

it('an epoch that was withdrawn from gets no support again; the next does', () => {
  const pair = new Pair()
  const { epoch } = pair.ask(0)
  pair.promising.withdraw(50_000 + 1_000)
  expect(pair.ask(1_000)).toMatchObject({ epoch, isGranted: false, epochMin: epoch + 1 })
  expect(pair.asking.countedOn(other, 1_000).epoch).toBe(0)
  expect(pair.ask(1_001)).toMatchObject({ epoch: epoch + 1, isGranted: true })
  // A question that was long on its way.
  const old = { kind: 'request', epoch, sentMs: 0 } as const
  expect(pair.promising.onRequest(asker, old, 50_000 + 1_002)).toMatchObject({ isGranted: false })
  expect(pair.promising.promisedTo(asker)).toBe(epoch + 1)
})

it('who asks after a start of its own asks in a later epoch: what was promised before is void', () => {
  const pair = new Pair()
  const before = pair.ask(0)
  pair.asking = new NodeSupport(settings, 2, 0)
  const after = pair.ask(10)
  expect(after.epoch).toBeGreaterThan(before.epoch)
  expect(pair.promising.promisedTo(asker)).toBe(after.epoch)
})

it('who has promised and started again has forgotten it: it is asked in a new epoch, and gives no votes meanwhile', () => {
  const pair = new Pair()
  const { epoch } = pair.ask(0)
  pair.promising = new NodeSupport(settings, 2, 50_100)
  expect(pair.promising.votesFromMs).toBeGreaterThanOrEqual(50_100 + 450)
  pair.ask(100)
  expect(pair.asking.countedOn(other, 100).epoch).toBe(0)
  expect(pair.ask(110).epoch).toBe(epoch + 1)
  expect(pair.asking.countedOn(other, 110).epoch).toBe(epoch + 1)
})

it('tells when a peer supports it anew', () => {
  const pair = new Pair()
  const answerTo = (nowMs: number): boolean => {
    const answer = pair.promising.onRequest(asker, pair.asking.request(other, nowMs), 50_000 + nowMs)
    return pair.asking.onAnswer(other, answer, nowMs)
  }
  expect([answerTo(0), answerTo(75), answerTo(150), answerTo(2_000)]).toEqual([true, false, false, true])
})
