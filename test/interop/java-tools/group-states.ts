/** Owns the steps of kafka-consumer-groups with groups that are alive: of the consumer protocol, and of both while they rebalance. */
import { expect, it } from 'vitest'
import { waitUntil } from '../../../localstack/index.ts'
import { verifiableMember } from '../clients/java.ts'
import type { Differential } from './differential.ts'
import { ClassicMember, groups, haveCommittedAll, ModernMember, topicIdAt } from './group-members.ts'
import { slowMs, topic } from './names.ts'

const views = [[], ['--offsets'], ['--state'], ['--members'], ['--members', '--verbose']]

/** What may be asked of the group, and what must be refused while it has members. */
async function askAbout(kafka: Differential, group: string): Promise<void> {
  for (const view of views) await kafka.same(groups, '--describe', '--group', group, ...view)
  const at = ['--group', group, '--topic', topic]
  await kafka.same(groups, ...at, '--reset-offsets', '--to-earliest', '--dry-run')
  const refusals = [
    [[...at, '--reset-offsets', '--to-earliest', '--execute'], 'inactive'],
    [[...at, '--delete-offsets'], 'subscribed'],
    [['--group', group, '--delete'], 'not empty'],
  ] as const
  for (const [asked, why] of refusals) expect((await kafka.same(groups, ...asked)).lines.join('\n')).toContain(why)
}

/** Both say of the group that it is in the state. `meanwhile`: what its members go on to say. */
async function areIn(
  kafka: Differential,
  { group, state }: { readonly group: string; readonly state: string },
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const say = async (): Promise<boolean> => {
    await meanwhile()
    return (await kafka.both(groups, ['--describe', '--group', group, '--state'])).every(({ lines }) =>
      lines.some((line) => line.split(' ').includes(state)),
    )
  }
  await waitUntil(say, { until: `both say that ${group} is in ${state}`, timeoutMs: 60_000 })
}

export function groupStateSteps(kafka: Differential): void {
  it(
    'kafka-consumer-groups tells of a live group of the consumer protocol, and does nothing to it',
    { timeout: slowMs },
    async () => {
      const group = 'live-modern'
      const members = kafka.bootstraps.map((bootstrap) => verifiableMember({ bootstrap, topic, group, protocol: 'consumer' }))
      try {
        const areAssigned = (): boolean => members.every((member) => member.assigned().length === 5)
        await waitUntil(areAssigned, { until: 'both members have all partitions', timeoutMs: 60_000 })
        await haveCommittedAll(kafka, group)
        await areIn(kafka, { group, state: 'Stable' })
        await askAbout(kafka, group)
        await kafka.same(groups, '--list', '--type', 'consumer')
        await kafka.same(groups, '--list', '--type', 'consumer', '--state', 'stable')
        for (const view of views) await kafka.same(groups, '--describe', '--all-groups', ...view)
      } finally {
        await Promise.all(members.map((member) => member.leave()))
      }
      await areIn(kafka, { group, state: 'Empty' })
      expect((await kafka.same(groups, '--group', group, '--delete')).code).toBe(0)
    },
  )

  it('kafka-consumer-groups tells of a classic group in each state of a rebalance', { timeout: slowMs }, async () => {
    const group = 'rebalancing-classic'
    const begun = async (): Promise<ClassicMember[]> => {
      const members = await Promise.all(kafka.bootstraps.map((bootstrap) => ClassicMember.at(bootstrap, group)))
      await Promise.all(members.map((member) => member.begin()))
      return members
    }
    const first = await begun()
    await Promise.all(first.map((member) => member.join()))
    // Nobody has said yet who gets what.
    await areIn(kafka, { group, state: 'CompletingRebalance' })
    await askAbout(kafka, group)
    await kafka.same(groups, '--list', '--state', 'CompletingRebalance')
    const second = await begun()
    const joined = Promise.all(second.map((member) => member.join()))
    // The first has to join again.
    await areIn(kafka, { group, state: 'PreparingRebalance' })
    await askAbout(kafka, group)
    await kafka.same(groups, '--list', '--state', 'PreparingRebalance')
    await Promise.all(first.map((member) => member.leave()))
    await joined
    await areIn(kafka, { group, state: 'CompletingRebalance' })
    await Promise.all(second.map((member) => member.leave()))
    await areIn(kafka, { group, state: 'Empty' })
    await kafka.same(groups, '--describe', '--group', group)
    expect((await kafka.same(groups, '--group', group, '--delete')).code).toBe(0)
  })

  it('kafka-consumer-groups tells of a group of the consumer protocol that reconciles', { timeout: slowMs }, async () => {
    const group = 'reconciling-modern'
    const member = (name: string): Promise<ModernMember[]> =>
      Promise.all(kafka.bootstraps.map((bootstrap) => ModernMember.at(bootstrap, group, name)))
    const topicIds = await Promise.all(kafka.bootstraps.map(topicIdAt))
    const first = await member('first')
    await Promise.all(first.map((one) => one.join()))
    await Promise.all(first.map((one, at) => one.hold(topicIds[at]!, [0, 1, 2, 3, 4])))
    await areIn(kafka, { group, state: 'Stable' })
    const second = await member('second')
    await Promise.all(second.map((one) => one.join()))
    // The first is told nothing yet of what it has to give up. Kafka computes no second assignment within a second of the first.
    await areIn(kafka, { group, state: 'Reconciling' }, () => Promise.all(second.map((one) => one.beat())))
    await askAbout(kafka, group)
    await kafka.same(groups, '--list', '--type', 'consumer', '--state', 'reconciling')
    await kafka.same(groups, '--list', '--type', 'consumer', '--state', 'assigning')
    await Promise.all([...first, ...second].map((one) => one.leave()))
    await areIn(kafka, { group, state: 'Empty' })
    expect((await kafka.same(groups, '--group', group, '--delete')).code).toBe(0)
  })
}
