/** Owns the steps of the tools that are clients themselves, and the reset of a Streams application. */
import { expect, it } from 'vitest'
import { javaTool } from '../../support/tools/kafka.ts'
import { type Differential, type Outcome, tools } from './differential.ts'
import { ClassicMember } from './group-members.ts'
import { slowMs } from './names.ts'

/** What was measured is each moment's. */
const unmeasured = (line: string): string => line.replace(/\d+(\.\d+)?/g, '<measured>')

/** Records in transactions of the id. */
export async function transactionalPerf(
  kafka: Differential,
  { topic, transactionalId, records }: { readonly topic: string; readonly transactionalId: string; readonly records: number },
): Promise<void> {
  const outcomes = await kafka.bothAs(`${tools}.ProducerPerformance`, (bootstrap) => [
    ...['--topic', topic, '--num-records', String(records), '--record-size', '100', '--throughput', '-1'],
    ...['--bootstrap-server', bootstrap, '--transactional-id', transactionalId, '--transaction-duration-ms', '1000'],
  ])
  for (const { code, lines } of outcomes) expect(code, lines.join('\n')).toBe(0)
}

/** Verifiable tools tell in JSON: in order, without names, times, and rates. */
function told(stdout: string): object[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => {
      const { timestamp: _, avg_throughput: __, target_throughput: ___, ...rest } = JSON.parse(line) as Record<string, unknown>
      return rest
    })
}

export function clientSteps(kafka: Differential): void {
  it('kafka-e2e-latency measures', { timeout: slowMs }, async () => {
    const args = ['--topic', 'latency', '--num-records', '200', '--producer-acks', 'all', '--record-size', '128']
    const shape = ({ code, lines }: Outcome): unknown => [code, lines.map(unmeasured)]
    const [mine, theirs] = await kafka.both(`${tools}.EndToEndLatency`, args)
    expect(theirs.code, theirs.lines.join('\n')).toBe(0)
    expect(shape(mine)).toEqual(shape(theirs))
  })

  it('kafka-verifiable-producer and -consumer tell the same', { timeout: slowMs }, async () => {
    const produce = ['--topic', 'verified', '--max-messages', '50', '--acks', '-1', '--repeating-keys', '5']
    const consume = ['--topic', 'verified', '--max-messages', '50', '--group-id', 'verifiers', '--reset-policy', 'earliest']
    await kafka.both(`${tools}.TopicCommand`, ['--create', '--topic', 'verified', '--partitions', '1'])
    const runs = await Promise.all(
      kafka.bootstraps.map(async (bootstrap) => {
        const at = ['--bootstrap-server', bootstrap]
        const produced = await javaTool(`${tools}.VerifiableProducer`, [...at, ...produce])
        const consumed = await javaTool(`${tools}.VerifiableConsumer`, [...at, ...consume, '--verbose'])
        return { codes: [produced.code, consumed.code], produced: told(produced.stdout), consumed: told(consumed.stdout) }
      }),
    )
    const [mine, theirs] = runs
    expect(theirs!.codes).toEqual([0, 0])
    expect(theirs!.produced.length).toBeGreaterThan(50)
    expect(mine!.codes).toEqual(theirs!.codes)
    expect(mine!.produced).toEqual(theirs!.produced)
    // How many records a poll brings is chance; which records, in which order, is not.
    const records = (all: readonly object[]): object[] => all.filter((one) => (one as { name: string }).name === 'record_data')
    const others = (all: readonly object[]): string[] => [...new Set(all.map((one) => (one as { name: string }).name))]
    expect(records(mine!.consumed)).toEqual(records(theirs!.consumed))
    expect(records(theirs!.consumed)).toHaveLength(50)
    expect(others(mine!.consumed)).toEqual(others(theirs!.consumed))
  })

  it('kafka-streams-application-reset says what it would do, does it, and refuses', { timeout: slowMs }, async () => {
    const reset = `${tools}.StreamsResetter`
    const id = ['--application-id', 'counter']
    for (const name of ['words', 'through', 'counter-counts-changelog', 'counter-counts-repartition'])
      await kafka.same(`${tools}.TopicCommand`, '--create', '--topic', name, '--partitions', '2')
    await kafka.same(reset, ...id, '--input-topics', 'words', '--dry-run')
    expect((await kafka.same(reset, ...id, '--input-topics', 'words')).code).toBe(0)
    await kafka.same(reset, ...id, '--input-topics', 'nowhere', '--dry-run')
    await kafka.same(reset, ...id, '--internal-topics', 'counter-counts-nothing')
    await kafka.same(reset, ...id, '--input-topics', 'words', '--to-offset', '0')
    await kafka.same(reset, ...id, '--input-topics', 'words', '--shift-by', '-1', '--dry-run')
    // While the application runs nothing is done; by force its members go first.
    const members = await Promise.all(kafka.bootstraps.map((bootstrap) => ClassicMember.at(bootstrap, 'counter')))
    await Promise.all(members.map((member) => member.begin()))
    await Promise.all(members.map((member) => member.join()))
    expect((await kafka.same(reset, ...id, '--input-topics', 'words')).code).toBe(1)
    expect((await kafka.same(reset, ...id, '--input-topics', 'words', '--force')).code).toBe(0)
    for (const member of members) member.hangUp()
    await kafka.same(`${tools}.TopicCommand`, '--list')
    for (const name of ['words', 'through', 'latency', 'verified'])
      await kafka.same(`${tools}.TopicCommand`, '--delete', '--topic', name)
  })
}
