// Owns the assignor `uniform`: members differ by one partition at most where their subscriptions allow it, and what a member has
// stays as far as that allows. Balance comes before stickiness. Not when it is asked.
//
// Where all subscribe alike, quotas are known beforehand. Where they do not, every free partition goes to the least loaded of those
// who may have it, the partitions with the fewest takers first; then single partitions move from the more to the less loaded of
// their takers while that makes the two more equal. Each such move lowers the sum of squares of the loads, so it ends.

import type { AssignorAsk, AssignorMember } from './assignor-ask.ts'
import { byText, PartitionList, type Partitions } from './partitions.ts'

interface TopicPartition {
  readonly topicId: string
  readonly partition: number
}

export function assignUniform(ask: AssignorAsk): ReadonlyMap<string, Partitions> {
  const first = ask.members[0]
  if (first === undefined) return new Map()
  const alike = ask.members.every(
    ({ topics }) => topics.size === first.topics.size && [...topics].every((topicId) => first.topics.has(topicId)),
  )
  const targets = alike ? assignAlike(ask, [...first.topics].sort(byText)) : assignUnlike(ask)
  return new Map([...targets].map(([memberId, list]) => [memberId, list.take()]))
}

function partitionsOf(ask: AssignorAsk, topics: readonly string[]): TopicPartition[] {
  return topics.flatMap((topicId) =>
    Array.from({ length: ask.partitionCountOf(topicId) }, (_, partition) => ({ topicId, partition })),
  )
}

/** What a member had, may still have, and nobody before it has kept. */
function* keepable(ask: AssignorAsk, member: AssignorMember, kept: PartitionList): Generator<TopicPartition> {
  for (const [topicId, partitions] of member.previous) {
    if (!member.topics.has(topicId)) continue
    const count = ask.partitionCountOf(topicId)
    for (const partition of partitions) if (partition < count && !kept.has(topicId, partition)) yield { topicId, partition }
  }
}

function assignAlike(ask: AssignorAsk, topics: readonly string[]): ReadonlyMap<string, PartitionList> {
  const all = partitionsOf(ask, topics)
  const quotas = quotasOf(ask, all.length)
  const kept = new PartitionList()
  const targets = new Map<string, PartitionList>()
  for (const member of ask.members) {
    const list = new PartitionList()
    targets.set(member.memberId, list)
    for (const { topicId, partition } of keepable(ask, member, kept)) {
      if (list.count >= quotas.get(member.memberId)!) break
      list.add(topicId, partition)
      kept.add(topicId, partition)
    }
  }
  // In turn, so that the partitions of each topic are spread.
  const unfilled = ask.members.filter(({ memberId }) => targets.get(memberId)!.count < quotas.get(memberId)!)
  let at = 0
  for (const { topicId, partition } of all) {
    if (kept.has(topicId, partition)) continue
    at %= unfilled.length
    const { memberId } = unfilled[at]!
    const list = targets.get(memberId)!
    list.add(topicId, partition)
    if (list.count < quotas.get(memberId)!) at += 1
    else unfilled.splice(at, 1)
  }
  return targets
}

/** The rest of the division goes to those who have more than their share already, then to the first. */
function quotasOf(ask: AssignorAsk, total: number): ReadonlyMap<string, number> {
  const least = Math.floor(total / ask.members.length)
  let rest = total % ask.members.length
  const none = new PartitionList()
  const has = (member: AssignorMember): number => [...keepable(ask, member, none)].length
  const rich = ask.members.map((member) => has(member) > least)
  const quotas = new Map<string, number>()
  for (const wanted of [true, false]) {
    ask.members.forEach(({ memberId }, at) => {
      if (rich[at] !== wanted) return
      quotas.set(memberId, rest > 0 ? least + 1 : least)
      if (rest > 0) rest -= 1
    })
  }
  return quotas
}

function assignUnlike(ask: AssignorAsk): ReadonlyMap<string, PartitionList> {
  const takers = new Map<string, string[]>()
  for (const { memberId, topics } of ask.members) {
    for (const topicId of topics) {
      const list = takers.get(topicId)
      if (list === undefined) takers.set(topicId, [memberId])
      else list.push(memberId)
    }
  }
  const kept = new PartitionList()
  const targets = new Map<string, PartitionList>()
  for (const member of ask.members) {
    const list = new PartitionList()
    targets.set(member.memberId, list)
    for (const { topicId, partition } of keepable(ask, member, kept)) {
      list.add(topicId, partition)
      kept.add(topicId, partition)
    }
  }
  const topics = [...takers.keys()].sort(
    (left, right) => takers.get(left)!.length - takers.get(right)!.length || byText(left, right),
  )
  for (const { topicId, partition } of partitionsOf(ask, topics)) {
    if (!kept.has(topicId, partition)) leastLoaded(takers.get(topicId)!, targets).add(topicId, partition)
  }
  // One partition of each topic in turn: a topic that gave all it could at once would leave others nothing to even out.
  for (let moved = true; moved;) {
    moved = false
    for (const topicId of topics) if (even(topicId, takers.get(topicId)!, targets)) moved = true
  }
  return targets
}

function leastLoaded(memberIds: readonly string[], targets: ReadonlyMap<string, PartitionList>): PartitionList {
  let least = targets.get(memberIds[0]!)!
  for (const memberId of memberIds) {
    const list = targets.get(memberId)!
    if (list.count < least.count) least = list
  }
  return least
}

/** Moves one partition of a topic if that makes two of its takers more equal; tells whether it did. */
function even(topicId: string, memberIds: readonly string[], targets: ReadonlyMap<string, PartitionList>): boolean {
  const least = leastLoaded(memberIds, targets)
  let most: PartitionList | undefined
  for (const memberId of memberIds) {
    const list = targets.get(memberId)!
    if (list.count > (most?.count ?? -1) && list.last(topicId) !== undefined) most = list
  }
  if (most === undefined || most.count - least.count < 2) return false
  const partition = most.last(topicId)!
  most.remove(topicId, partition)
  least.add(topicId, partition)
  return true
}
