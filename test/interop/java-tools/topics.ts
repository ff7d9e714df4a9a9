/** Owns the steps of kafka-topics. */
import { expect, it } from 'vitest'
import { type Differential, tools } from './differential.ts'
import { slowMs, topic } from './names.ts'

const topics = `${tools}.TopicCommand`

export function topicSteps(kafka: Differential): void {
  it('kafka-topics creates, describes, grows and refuses', { timeout: slowMs }, async () => {
    const created = await kafka.same(
      topics,
      '--create',
      '--topic',
      topic,
      '--partitions',
      '3',
      '--config',
      'retention.ms=3600000',
    )
    expect(created).toEqual({ code: 0, lines: [`Created topic ${topic}.`] })
    expect((await kafka.same(topics, '--create', '--topic', topic)).code).toBe(1)
    expect((await kafka.same(topics, '--create', '--topic', 'not legal!')).code).toBe(1)
    await kafka.same(topics, '--create', '--topic', topic, '--if-not-exists')
    await kafka.same(topics, '--alter', '--topic', topic, '--partitions', '5')
    expect((await kafka.same(topics, '--alter', '--topic', topic, '--partitions', '2')).code).toBe(1)
    expect((await kafka.same(topics, '--alter', '--topic', topic, '--partitions', '5')).code).toBe(1)
    expect((await kafka.same(topics, '--describe', '--topic', 'nowhere')).code).toBe(1)
    await kafka.same(topics, '--list')
  })
}

export function lastTopicSteps(kafka: Differential): void {
  it('kafka-topics deletes', { timeout: slowMs }, async () => {
    await kafka.same(topics, '--delete', '--topic', topic)
    expect((await kafka.same(topics, '--delete', '--topic', topic)).code).toBe(1)
    await kafka.same(topics, '--list', '--exclude-internal')
  })
}
