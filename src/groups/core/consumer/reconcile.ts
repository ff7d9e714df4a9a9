// Owns the next step of one member toward its target: what it keeps, what it must give up, what it may have already. Not when it is
// asked nor what the target is.
//
//   Stable ---target epoch is new---> gives up first, if it must: UnrevokedPartitions (its epoch stays)
//                                     else takes what is free:    Stable, or UnreleasedPartitions while others hold the rest
//   UnrevokedPartitions ---no longer owns what it should give up---> as from Stable
//   UnreleasedPartitions ---at every heartbeat---> as from Stable

import { holdsAny, type HeldPartitions, nothingHeld, type Partitions, sameHeld } from './partitions.ts'
import type { CurrentAssignment } from './state.ts'

export interface Reconciling {
  readonly current: CurrentAssignment
  readonly target: Partitions
  readonly targetEpoch: number
  /** Ids of the topics the member subscribes to now. */
  readonly subscribed: ReadonlySet<string>
  readonly hasSubscriptionChanged: boolean
  /** What the member says it owns; undefined: it does not say. */
  readonly owned: Partitions | undefined
  /** Whether somebody else holds the partition. */
  readonly isHeldByOther: (topicId: string, partition: number) => boolean
}

/** The same value if nothing changes. */
export function reconcile(one: Reconciling): CurrentAssignment {
  const { current } = one
  switch (current.state) {
    case 'Stable':
      if (current.memberEpoch !== one.targetEpoch) return nextAssignment(one)
      return one.hasSubscriptionChanged ? withoutUnsubscribed(one) : current
    case 'UnrevokedPartitions':
      if (stillOwns(one.owned, current.pendingRevocation)) {
        return one.hasSubscriptionChanged ? withoutUnsubscribed(one) : current
      }
      return nextAssignment(one)
    case 'UnreleasedPartitions':
      return nextAssignment(one)
  }
}

/** A member that does not say what it owns is taken to own it still. */
function stillOwns(owned: Partitions | undefined, held: HeldPartitions): boolean {
  return owned === undefined || holdsAny(held, owned)
}

function moved(current: CurrentAssignment, change: Partial<CurrentAssignment>): CurrentAssignment {
  const { memberEpoch = current.memberEpoch } = change
  const previousMemberEpoch = memberEpoch === current.memberEpoch ? current.previousMemberEpoch : current.memberEpoch
  const next = { ...current, ...change, previousMemberEpoch }
  const same =
    next.memberEpoch === current.memberEpoch &&
    next.state === current.state &&
    sameHeld(next.assigned, current.assigned) &&
    sameHeld(next.pendingRevocation, current.pendingRevocation)
  return same ? current : next
}

/** Topics the member no longer subscribes to are taken from it at once, whatever its target. */
function withoutUnsubscribed(one: Reconciling): CurrentAssignment {
  const { current, subscribed } = one
  const assigned = new Map([...current.assigned].filter(([topicId]) => subscribed.has(topicId)))
  if (assigned.size === current.assigned.size) return current
  const pendingRevocation = new Map(current.pendingRevocation)
  for (const [topicId, partitions] of current.assigned) {
    if (subscribed.has(topicId)) continue
    pendingRevocation.set(topicId, new Map([...(pendingRevocation.get(topicId) ?? []), ...partitions]))
  }
  if (stillOwns(one.owned, pendingRevocation)) {
    return moved(current, { state: 'UnrevokedPartitions', assigned, pendingRevocation })
  }
  return moved(current, { assigned })
}

function nextAssignment(one: Reconciling): CurrentAssignment {
  const { current, target, targetEpoch, subscribed } = one
  const kept = new Map<string, Map<number, number>>()
  const given = new Map<string, Map<number, number>>()
  for (const [topicId, partitions] of current.assigned) {
    const wanted = new Set(subscribed.has(topicId) ? target.get(topicId) : [])
    for (const [partition, epoch] of partitions) putAt(wanted.has(partition) ? kept : given, topicId, partition, epoch)
  }
  if (given.size > 0 && stillOwns(one.owned, given)) {
    return moved(current, { state: 'UnrevokedPartitions', assigned: kept, pendingRevocation: given })
  }
  let waits = false
  for (const [topicId, partitions] of target) {
    if (!subscribed.has(topicId)) continue
    for (const partition of partitions) {
      if (kept.get(topicId)?.has(partition) === true) continue
      if (one.isHeldByOther(topicId, partition)) waits = true
      else putAt(kept, topicId, partition, targetEpoch)
    }
  }
  return moved(current, {
    memberEpoch: targetEpoch,
    state: waits ? 'UnreleasedPartitions' : 'Stable',
    assigned: kept,
    pendingRevocation: nothingHeld,
  })
}

function putAt(map: Map<string, Map<number, number>>, topicId: string, partition: number, epoch: number): void {
  const partitions = map.get(topicId)
  if (partitions === undefined) map.set(topicId, new Map([[partition, epoch]]))
  else partitions.set(partition, epoch)
}
