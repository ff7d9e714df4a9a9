/**
 * Owns the two stories every client is put through: everything it produces comes back unchanged and in order, and a group of two
 * shares the partitions, rebalances, and resumes where it committed.
 */
import { expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { type BrokerUnderTest, freshName } from './broker-under-test.ts'
import type { Client, Member } from './client.ts'
import { digest, digestsByPartition, makeRecords, offsetsRise, type SentRecord } from './records.ts'

const slowMs = 90_000

export function storyOfEveryRecord(client: Client, broker: BrokerUnderTest): void {
  for (const compression of client.compressions) {
    for (const idempotent of client.canBeIdempotent && compression === 'none' ? [false, true] : [client.canBeIdempotent]) {
      const how = `${compression === 'none' ? 'uncompressed' : compression}${idempotent ? ', idempotent' : ''}`
      it(`gives back every record ${client.name} produced (${how})`, { timeout: slowMs }, async () => {
        const topic = await broker.createTopic(3, 'records')
        const records = makeRecords(60, 3, `${client.name}-${compression}`, client.traits)
        await client.produce(broker.bootstrap(), [{ topic, compression, idempotent, records }])
        const seen = await client.consume(broker.bootstrap(), topic, records.length)
        // First, because it tells a record read twice from a record stored twice.
        expect(offsetsRise(seen)).toBe(true)
        expect(digestsByPartition(seen)).toEqual(digestsByPartition(records))
      })
    }
  }
}

const partitions = 4
const allPartitions = [0, 1, 2, 3]

export function storyOfAGroup(client: Client, broker: BrokerUnderTest): void {
  const { join } = client
  if (join === undefined) throw new Error(`${client.name} has no groups`)
  it(
    `lets two members of ${client.name} share a topic, rebalance, and resume where they committed`,
    { timeout: slowMs },
    async () => {
      const topic = await broker.createTopic(partitions, 'group')
      const group = freshName('group')
      const enter = (): Promise<Member> => join.call(client, broker.bootstrap(), topic, group)
      const produce = async (round: string): Promise<readonly SentRecord[]> => {
        const records = makeRecords(20, partitions, `${client.name}-${round}`, client.traits)
        await client.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: client.canBeIdempotent, records }])
        return records
      }
      const members: Member[] = []
      try {
        const first = await produce('first')
        const alone = await enter()
        members.push(alone)
        await untilSeen([alone], first, `${client.name} to read the first round alone`)
        expect([...alone.assigned()].sort()).toEqual(allPartitions)
        expect(digestsByPartition(alone.seen())).toEqual(digestsByPartition(first))

        const other = await enter()
        members.push(other)
        await waitUntil(() => isShared(alone, other), {
          until: `${client.name}'s two members to share 4 partitions`,
          timeoutMs: 30_000,
        })
        const second = await produce('second')
        await untilSeen(members, second, `${client.name}'s two members to read the second round`)
        expect(other.seen().length).toBeGreaterThan(0)
        expect(new Set(other.seen().map(({ partition }) => partition))).toEqual(new Set(other.assigned()))
        await Promise.all(members.splice(0).map((member) => member.leave()))

        const third = await produce('third')
        const later = await enter()
        members.push(later)
        await untilSeen([later], third, `${client.name} to read the third round after everybody had left`)
        expect(digestsByPartition(later.seen())).toEqual(digestsByPartition(third))
      } finally {
        await Promise.allSettled(members.map((member) => member.leave()))
      }
    },
  )
}

function isShared(one: Member, other: Member): boolean {
  const [mine, theirs] = [one.assigned(), other.assigned()]
  return mine.length === 2 && theirs.length === 2 && new Set([...mine, ...theirs]).size === partitions
}

/** Seen by whoever holds its partition: a fetch still in flight at a rebalance may hand a record to its former holder as well. */
async function untilSeen(members: readonly Member[], records: readonly SentRecord[], until: string): Promise<void> {
  await waitUntil(
    () => {
      const seen = new Set(members.flatMap((member) => seenByHolder(member)))
      return records.every((record) => seen.has(digest(record)))
    },
    { until, timeoutMs: 30_000 },
  )
}

function seenByHolder(member: Member): string[] {
  const held = new Set(member.assigned())
  return member
    .seen()
    .filter(({ partition }) => held.has(partition))
    .map((record) => digest(record))
}
