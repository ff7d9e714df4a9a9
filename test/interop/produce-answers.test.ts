/**
 * Owns the proof that a produced batch is answered as Apache Kafka answers it, sound or hostile. With CHRONIK_INTEROP_BOOTSTRAP at an
 * Apache Kafka it proves the table instead.
 */
import snappy from 'snappy'
import { expect, it } from 'vitest'
import { loadBatchCompression } from '../../src/base/node/compression.ts'
import { describeInterop, freshName } from './broker-under-test.ts'
import { kafkaAnswers, otherAnswers } from './produce-answers/answers.ts'
import { answersOf, makeTopics } from './produce-answers/ask.ts'
import { produceCases } from './produce-answers/cases.ts'

const isOurs = (process.env['CHRONIK_INTEROP_BOOTSTRAP'] ?? '') === ''

describeInterop([], 'what a broker says to a batch', (broker) => {
  it('is what Apache Kafka 4.3.1 says, but for the answers that differ on purpose', async () => {
    const cases = produceCases(await loadBatchCompression(), (plain) => snappy.compressSync(Buffer.from(plain)))
    const prefix = freshName('answers')
    await makeTopics(broker.bootstrap(), prefix)
    const answers = await answersOf(broker.bootstrap(), prefix, cases)
    expect(Object.fromEntries(answers)).toEqual(isOurs ? { ...kafkaAnswers, ...otherAnswers } : kafkaAnswers)
    expect(answers.size).toBe(cases.length)
  })
})
