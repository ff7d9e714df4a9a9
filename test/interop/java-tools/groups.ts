/** Owns the steps of kafka-consumer-groups. */
import { expect, it } from 'vitest'
import { type Differential, tools } from './differential.ts'
import { group, modern, slowMs, topic } from './names.ts'

const groups = `${tools}.consumer.group.ConsumerGroupCommand`

export function groupSteps(kafka: Differential): void {
  it('kafka-consumer-groups describes, resets and deletes', { timeout: slowMs }, async () => {
    const read = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '10', '--timeout-ms', '20000']
    await kafka.consume(read)
    await kafka.same(groups, '--list')
    await kafka.same(groups, '--describe', '--group', group)
    await kafka.same(groups, '--describe', '--group', group, '--state')
    await kafka.same(groups, '--group', group, '--topic', topic, '--reset-offsets', '--to-earliest', '--execute')
    await kafka.same(groups, '--group', group, '--topic', `${topic}:0`, '--reset-offsets', '--to-offset', '9', '--execute')
    await kafka.same(groups, '--group', group, '--topic', `${topic}:0`, '--delete-offsets')
    await kafka.same(groups, '--describe', '--group', group)
    await kafka.same(groups, '--delete', '--group', group)
    expect((await kafka.same(groups, '--describe', '--group', group)).lines.join('\n')).toContain(`Group ${group} not found.`)
  })

  it('kafka-consumer-groups sees a group of the consumer protocol the same', { timeout: 2 * slowMs }, async () => {
    const consumer = ['--command-property', 'group.protocol=consumer']
    const read = ['--topic', topic, '--group', modern, '--from-beginning', '--max-messages', '10', '--timeout-ms', '20000']
    await kafka.consume([...read, ...consumer])
    await kafka.same(groups, '--list', '--type')
    await kafka.same(groups, '--describe', '--group', modern)
    await kafka.same(groups, '--describe', '--group', modern, '--state')
    await kafka.same(groups, '--describe', '--group', modern, '--members', '--verbose')
    await kafka.same(groups, '--group', modern, '--topic', `${topic}:1`, '--delete-offsets')
    // Read again by a consumer of the classic protocol: the empty group changes its type.
    await kafka.consume(read)
    await kafka.same(groups, '--list', '--type')
    await kafka.same(groups, '--delete', '--group', modern)
  })
}
