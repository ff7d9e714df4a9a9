/**
 * Owns the proof that a produced batch is answered as Apache Kafka answers it, sound or hostile. With CHRONIK_INTEROP_BOOTSTRAP at an
 * Apache Kafka it proves the table instead, and so does java-admin.test.ts, which has one running.
 */
import { expect, it } from 'vitest'
import { describeInterop } from './broker-under-test.ts'
import { kafkaAnswers, otherAnswers } from './produce-answers/answers.ts'
import { askAll } from './produce-answers/ask.ts'

const isOurs = (process.env['CHRONIK_INTEROP_BOOTSTRAP'] ?? '') === ''

describeInterop([], 'what a broker says to a batch', (broker) => {
  it('is what Apache Kafka 4.3.1 says, but for the answers that differ on purpose', async () => {
    expect(await askAll(broker.bootstrap())).toEqual(isOurs ? { ...kafkaAnswers, ...otherAnswers } : kafkaAnswers)
  })

  it('differs on purpose only where it does differ', () => {
    for (const [name, answer] of Object.entries(otherAnswers)) {
      expect(kafkaAnswers, name).toHaveProperty([name])
      expect(answer, name).not.toBe(kafkaAnswers[name])
    }
  })
})
