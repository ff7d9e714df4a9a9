/** Owns the steps of kafka-consumer-groups. */
import { expect, it } from 'vitest'
import { waitUntil } from '../../../localstack/index.ts'
import { kafkajs } from '../clients/kafkajs.ts'
import type { Differential } from './differential.ts'
import { groups, haveCommittedAll } from './group-members.ts'
import { group, modern, slowMs, topic } from './names.ts'

export function groupSteps(kafka: Differential): void {
  it('kafka-consumer-groups describes, resets and deletes', { timeout: slowMs }, async () => {
    const read = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '10', '--timeout-ms', '20000']
    await kafka.consume(read)
    await kafka.same(groups, '--list')
    await kafka.same(groups, '--describe', '--group', group)
    await kafka.same(groups, '--describe', '--group', group, '--state')
    await kafka.same(groups, '--group', group, '--topic', topic, '--reset-offsets', '--to-earliest', '--execute')
    await kafka.same(groups, '--group', group, '--topic', `${topic}:0`, '--reset-offsets', '--to-offset', '9', '--execute')
    const at = ['--group', group, '--topic', topic, '--reset-offsets']
    for (const where of [
      ['--to-latest'],
      ['--to-current'],
      ['--shift-by', '-3'],
      ['--shift-by', '100'],
      ['--to-offset', '2'],
      ['--to-datetime', '2020-01-01T00:00:00.000'],
      ['--to-datetime', '2100-01-01T00:00:00.000'],
      ['--by-duration', 'P1D'],
    ]) {
      await kafka.same(groups, ...at, ...where, '--dry-run')
      expect((await kafka.same(groups, ...at, ...where, '--execute')).code, where.join(' ')).toBe(0)
    }
    const exported = await kafka.same(groups, ...at, '--to-earliest', '--dry-run', '--export')
    const csv = kafka.file('offsets.csv', exported.lines.filter((line) => line.includes(',')).join('\n'))
    await kafka.same(groups, '--group', group, '--reset-offsets', '--from-file', csv, '--execute')
    await kafka.same(groups, '--describe', '--group', group, '--offsets')
    await kafka.same(groups, '--all-groups', '--all-topics', '--reset-offsets', '--to-earliest', '--dry-run')
    for (const wrong of [
      ['--group', group, '--topic', 'nowhere', '--reset-offsets', '--to-earliest', '--execute'],
      ['--group', group, '--topic', `${topic}:99`, '--reset-offsets', '--to-earliest', '--execute'],
      ['--group', group, '--topic', topic, '--reset-offsets', '--to-earliest', '--to-latest'],
      ['--group', group, '--topic', topic, '--reset-offsets'],
      ['--group', 'nobody', '--topic', topic, '--reset-offsets', '--to-earliest', '--execute'],
      ['--group', 'nobody-else', '--topic', topic, '--delete-offsets'],
      ['--group', 'nobody-at-all', '--delete'],
      ['--group', group],
    ])
      await kafka.same(groups, ...wrong)
    await kafka.same(groups, '--group', group, '--topic', `${topic}:0`, '--delete-offsets')
    await kafka.same(groups, '--describe', '--group', group)
    await kafka.same(groups, '--describe', '--all-groups', '--state')
    await kafka.same(groups, '--list', '--state')
    await kafka.same(groups, '--list', '--state', 'Stable,Empty')
    await kafka.same(groups, '--list', '--state', 'Dreaming')
    await kafka.same(groups, '--list', '--type', 'classic')
    await kafka.same(groups, '--validate-regex', 'a.*')
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
    await kafka.consume(['--topic', topic, '--group', modern, '--from-beginning', '--max-messages', '1', '--timeout-ms', '20000'])
    await kafka.same(groups, '--list', '--type')
    await kafka.same(groups, '--delete', '--group', modern)
  })

  it('kafka-consumer-groups tells of a group with members, and does nothing to it', { timeout: slowMs }, async () => {
    const live = 'differential-live'
    const members = await Promise.all(kafka.bootstraps.map((bootstrap) => kafkajs.join!(bootstrap, topic, live)))
    try {
      const areAssigned = (): boolean => members.every((member) => member.assigned().length === 5)
      await waitUntil(areAssigned, { until: 'both members have all partitions', timeoutMs: 60_000 })
      await haveCommittedAll(kafka, live)
      for (const view of [[], ['--state'], ['--members'], ['--members', '--verbose']])
        await kafka.same(groups, '--describe', '--group', live, ...view)
      await kafka.same(groups, '--list', '--state', 'stable')
      await kafka.same(groups, '--describe', '--all-groups', '--state')
      const at = ['--group', live, '--topic', topic]
      await kafka.same(groups, ...at, '--reset-offsets', '--to-earliest', '--dry-run')
      for (const refused of [
        [...at, '--reset-offsets', '--to-earliest', '--execute'],
        [...at, '--delete-offsets'],
        ['--group', live, '--delete'],
      ])
        await kafka.same(groups, ...refused)
    } finally {
      await Promise.all(members.map((member) => member.leave()))
    }
    await kafka.same(groups, '--describe', '--group', live, '--state')
    await kafka.same(groups, '--group', live, '--delete')
  })
}
