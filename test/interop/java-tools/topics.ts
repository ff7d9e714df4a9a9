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
    await kafka.same(topics, '--describe', '--topic', topic)
    await kafka.same(topics, '--describe', '--topic', topic, '--topics-with-overrides')
    for (const unwell of ['under-replicated', 'unavailable', 'under-min-isr', 'at-min-isr'])
      await kafka.same(topics, '--describe', `--${unwell}-partitions`)
    await kafka.same(topics, '--describe', '--topic', 'nowhere', '--if-exists')
    await kafka.same(topics, '--alter', '--topic', 'nowhere', '--partitions', '3', '--if-exists')
    await kafka.same(topics, '--delete', '--topic', 'nowhere', '--if-exists')
    const assigned = ['--create', '--topic', 'assigned', '--replica-assignment']
    await kafka.same(topics, ...assigned, '1,1')
    await kafka.same(topics, '--alter', '--topic', 'assigned', '--partitions', '3', '--replica-assignment', '1,1,1')
    await kafka.same(topics, '--describe', '--topic', 'assigned')
    await kafka.same(topics, '--delete', '--topic', 'assign.*')
    for (const wrong of [
      [...assigned, '7,7'],
      [...assigned, '1:1'],
      ['--create', '--topic', 'wrong', '--partitions', '0'],
      ['--create', '--topic', 'wrong', '--partitions', '-1'],
      ['--create', '--topic', 'wrong', '--replication-factor', '3'],
      ['--create', '--topic', 'wrong', '--replication-factor', '0'],
      ['--create', '--topic', 'wrong', '--config', 'retention.ms=soon'],
      ['--create', '--topic', 'wrong', '--config', 'retention.ns=1'],
      ['--create', '--topic', 'wrong', '--config', 'segment.bytes=1'],
      ['--create', '--topic', 'wrong', '--config', 'cleanup.policy=burn'],
      ['--create', '--topic', '..'],
      ['--alter', '--topic', 'nowhere', '--partitions', '3'],
      ['--delete', '--topic', 'nowhere'],
      ['--create'],
      ['--create', '--list'],
    ])
      await kafka.same(topics, ...wrong)
    // Kafka quotes the whole name; ours cuts what it quotes.
    const [mine, theirs] = await kafka.both(topics, ['--create', '--topic', 'w'.repeat(250)])
    expect([mine.code, theirs.code]).toEqual([1, 1])
  })
}

export function lastTopicSteps(kafka: Differential): void {
  it('kafka-topics deletes', { timeout: slowMs }, async () => {
    await kafka.same(topics, '--delete', '--topic', topic)
    expect((await kafka.same(topics, '--delete', '--topic', topic)).code).toBe(1)
    await kafka.same(topics, '--list', '--exclude-internal')
  })
}
