// Owns the assignor `range`: of each topic every subscribed member gets one run of partitions, the same numbers of every topic where
// topics and subscriptions are alike, so that joins work; what a member has stays as far as that allows. Not when it is asked.

import type { AssignorAsk, AssignorMember } from './assignor-ask.ts'
import { byText, PartitionList, type Partitions } from './partitions.ts'

export function assignRange(ask: AssignorAsk): ReadonlyMap<string, Partitions> {
  const targets = new Map(ask.members.map(({ memberId }) => [memberId, new PartitionList()]))
  const topics = new Map<string, AssignorMember[]>()
  for (const member of ask.members) {
    for (const topicId of member.topics) {
      const members = topics.get(topicId)
      if (members === undefined) topics.set(topicId, [member])
      else members.push(member)
    }
  }
  for (const [topicId, members] of [...topics].sort(([left], [right]) => byText(left, right))) {
    assignTopic(topicId, members, ask.partitionCountOf(topicId), targets)
  }
  return new Map([...targets].map(([memberId, list]) => [memberId, list.take()]))
}

function assignTopic(
  topicId: string,
  members: readonly AssignorMember[],
  partitionCount: number,
  targets: ReadonlyMap<string, PartitionList>,
): void {
  const least = Math.floor(partitionCount / members.length)
  let withOneMore = partitionCount % members.length
  const taken = new Set<number>()
  const missing: { memberId: string; count: number }[] = []
  for (const { memberId, previous } of members) {
    const valid = (previous.get(topicId) ?? []).filter((one) => one < partitionCount && !taken.has(one))
    const keepsOneMore = valid.length > least && withOneMore > 0
    if (keepsOneMore) withOneMore -= 1
    const kept = valid.slice(0, keepsOneMore ? least + 1 : least)
    for (const partition of kept) {
      taken.add(partition)
      targets.get(memberId)!.add(topicId, partition)
    }
    if (!keepsOneMore) missing.push({ memberId, count: least - kept.length })
  }
  let next = 0
  for (const { memberId, count } of missing) {
    let wanted = count
    if (withOneMore > 0) {
      withOneMore -= 1
      wanted += 1
    }
    for (; wanted > 0; wanted -= 1) {
      while (taken.has(next)) next += 1
      targets.get(memberId)!.add(topicId, next)
      next += 1
    }
  }
}
