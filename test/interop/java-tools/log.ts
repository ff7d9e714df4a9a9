/** Owns the steps of the tools that look at logs and replicas. */
import { expect, it } from 'vitest'
import { kafkajs } from '../clients/kafkajs.ts'
import { makeRecords } from '../records.ts'
import { type Differential, type Outcome, tools } from './differential.ts'
import { slowMs, topic } from './names.ts'

export function logSteps(kafka: Differential): void {
  it('kafka-get-offsets, kafka-delete-records and kafka-log-dirs see the same log', { timeout: slowMs }, async () => {
    const records = makeRecords(20, 1, 'differential', { textOnly: true })
    const order = { topic, compression: 'none', idempotent: false, records } as const
    await Promise.all(kafka.bootstraps.map((bootstrap) => kafkajs.produce(bootstrap, [order])))
    for (const time of ['latest', 'earliest', 'max-timestamp', '-1'])
      await kafka.both(`${tools}.GetOffsetShell`, ['--topic', topic, '--time', time]).then(([mine, theirs]) => {
        expect(mine).toEqual(theirs)
      })
    for (const asked of [
      ['--topic-partitions', `${topic}:0,${topic}:2-4`],
      ['--topic-partitions', 'differ.*:1', '--time', '-2'],
      ['--topic', 'differ.*', '--partitions', '0-2'],
      ['--topic', topic, '--time', '0'],
      ['--topic', topic, '--time', '4102444800000'],
      ['--topic', topic, '--time', '-3'],
      ['--topic', topic, '--time', 'soon'],
      ['--topic', 'nowhere'],
      ['--exclude-internal-topics', '--time', 'earliest'],
    ])
      await kafka.same(`${tools}.GetOffsetShell`, ...asked)
    const cut = kafka.file('cut.json', {
      version: 1,
      partitions: [
        { topic, partition: 0, offset: 7 },
        { topic, partition: 1, offset: 9 },
      ],
    })
    await kafka.same(`${tools}.DeleteRecordsCommand`, '--offset-json-file', cut)
    await kafka.same(`${tools}.GetOffsetShell`, '--topic', topic, '--time', 'earliest')
    const [mine, theirs] = await kafka.both(`${tools}.LogDirsCommand`, ['--describe', '--topic-list', topic])
    expect([mine.code, theirs.code]).toEqual([0, 0])
    const partitionsOf = (outcome: Outcome): unknown[] => {
      const json = JSON.parse(outcome.lines.find((line) => line.startsWith('{')) ?? '{}') as {
        brokers: Array<{ logDirs: Array<{ partitions: Array<{ partition: string }> }> }>
      }
      return (json.brokers[0]?.logDirs[0]?.partitions ?? []).toSorted((a, b) => a.partition.localeCompare(b.partition))
    }
    expect(partitionsOf(mine)).toEqual(partitionsOf(theirs))
  })

  it('kafka-leader-election and kafka-reassign-partitions have nothing to do', { timeout: slowMs }, async () => {
    await kafka.same(`${tools}.LeaderElectionCommand`, '--election-type', 'preferred', '--topic', topic, '--partition', '0')
    await kafka.same(`${tools}.LeaderElectionCommand`, '--election-type', 'preferred', '--all-topic-partitions')
    const reassign = `${tools}.reassign.ReassignPartitionsCommand`
    await kafka.same(reassign, '--list')
    const stay = kafka.file('stay.json', { version: 1, partitions: [{ topic, partition: 0, replicas: [1] }] })
    await kafka.same(reassign, '--reassignment-json-file', stay, '--execute')
    await kafka.same(reassign, '--reassignment-json-file', stay, '--verify')
    const away = kafka.file('away.json', { version: 1, partitions: [{ topic, partition: 0, replicas: [2] }] })
    const [mine, theirs] = await kafka.both(reassign, ['--reassignment-json-file', away, '--execute'])
    expect(mine.code).toBe(theirs.code)
  })
}
