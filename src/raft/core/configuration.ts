// Owns who the members of a group are and how that may change: one voter at a time, or through a joint configuration (Raft thesis 4.3;
// learners as in etcd). Pure values: a change gives a new configuration or the reason why not. Not when a change takes effect (raft.ts).
//
// RAFT-C1  a node is voter, learner, or leaving voter that becomes a learner (`learnersNext`), never two of them.
// RAFT-C2  learnersNext and autoLeave exist only in a joint configuration.

import { assert } from '../../base/assert.ts'

export interface Configuration {
  readonly voters: readonly number[]
  /** The voters of before, while the configuration is joint; else empty. */
  readonly votersOutgoing: readonly number[]
  readonly learners: readonly number[]
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly number[]
  /** The leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean
}

export interface NodeChange {
  readonly kind: 'voter' | 'learner' | 'remove' | 'update'
  readonly node: number
}

/**
 * `auto`: simple when it is one change, else joint and left by itself; `implicit`: joint, left by itself; `explicit`: joint until told.
 * No changes with `auto`: leave the joint configuration.
 */
export interface MembershipChange {
  readonly transition: 'auto' | 'implicit' | 'explicit'
  readonly changes: readonly NodeChange[]
}

export type ChangeRefusal =
  'already-joint' | 'zero-voters' | 'not-joint' | 'simple-while-joint' | 'needs-joint' | 'removed-all-voters'

export const emptyConfiguration: Configuration = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

export const isJoint = ({ votersOutgoing }: Configuration): boolean => votersOutgoing.length > 0

export const isLeaving = ({ transition, changes }: MembershipChange): boolean => transition === 'auto' && changes.length === 0

/** Undefined: the change is simple. */
export function maybeJoint({ transition, changes }: MembershipChange): { readonly autoLeave: boolean } | undefined {
  return transition === 'auto' && changes.length <= 1 ? undefined : { autoLeave: transition !== 'explicit' }
}

export interface ChangedConfiguration {
  readonly configuration: Configuration
  /** Was a member and ceased to be one, though it may have become one again: what was known of its log is void. */
  readonly dropped: readonly number[]
}

/** While a change is worked out. */
class Draft {
  readonly dropped: number[] = []
  readonly voters: Set<number>
  readonly outgoing: Set<number>
  readonly learners: Set<number>
  readonly learnersNext: Set<number>

  constructor(from: Configuration) {
    this.voters = new Set(from.voters)
    this.outgoing = new Set(from.votersOutgoing)
    this.learners = new Set(from.learners)
    this.learnersNext = new Set(from.learnersNext)
  }

  apply(changes: readonly NodeChange[]): ChangeRefusal | undefined {
    for (const { kind, node } of changes) {
      // 0 is nobody: a change that was emptied after it was proposed.
      if (node === 0) continue
      if (kind === 'voter') this.#makeVoter(node)
      else if (kind === 'learner') this.#makeLearner(node)
      else if (kind === 'remove') this.#remove(node)
    }
    return this.voters.size === 0 ? 'removed-all-voters' : undefined
  }

  leave(): void {
    for (const node of this.learnersNext) this.learners.add(node)
    this.learnersNext.clear()
    for (const node of this.outgoing) if (!this.voters.has(node) && !this.learners.has(node)) this.dropped.push(node)
    this.outgoing.clear()
  }

  changed(autoLeave: boolean): ChangedConfiguration {
    return { configuration: this.#configuration(autoLeave), dropped: this.dropped }
  }

  #configuration(autoLeave: boolean): Configuration {
    const ascending = (nodes: ReadonlySet<number>): number[] => [...nodes].sort((left, right) => left - right)
    for (const node of this.learnersNext)
      assert(this.outgoing.has(node), 'RAFT-C2: who is to become a learner is a voter on its way out')
    for (const node of this.learners) assert(!this.voters.has(node) && !this.outgoing.has(node), 'RAFT-C1: a learner is no voter')
    return {
      voters: ascending(this.voters),
      votersOutgoing: ascending(this.outgoing),
      learners: ascending(this.learners),
      learnersNext: ascending(this.learnersNext),
      autoLeave,
    }
  }

  #makeVoter(node: number): void {
    this.learners.delete(node)
    this.learnersNext.delete(node)
    this.voters.add(node)
  }

  #makeLearner(node: number): void {
    if (this.learners.has(node)) return
    this.voters.delete(node)
    this.learnersNext.delete(node)
    // An outgoing voter still votes: it becomes a learner when the joint configuration is left.
    if (this.outgoing.has(node)) this.learnersNext.add(node)
    else this.learners.add(node)
  }

  #remove(node: number): void {
    if (!this.outgoing.has(node)) this.dropped.push(node)
    this.voters.delete(node)
    this.learners.delete(node)
    this.learnersNext.delete(node)
  }
}

export function enterJoint(
  from: Configuration,
  changes: readonly NodeChange[],
  autoLeave: boolean,
): ChangedConfiguration | ChangeRefusal {
  if (isJoint(from)) return 'already-joint'
  if (from.voters.length === 0) return 'zero-voters'
  const draft = new Draft(from)
  for (const node of from.voters) draft.outgoing.add(node)
  return draft.apply(changes) ?? draft.changed(autoLeave)
}

export function leaveJoint(from: Configuration): ChangedConfiguration | ChangeRefusal {
  if (!isJoint(from)) return 'not-joint'
  const draft = new Draft(from)
  draft.leave()
  return draft.changed(false)
}

export function changeSimply(from: Configuration, changes: readonly NodeChange[]): ChangedConfiguration | ChangeRefusal {
  if (isJoint(from)) return 'simple-while-joint'
  const draft = new Draft(from)
  const refusal = draft.apply(changes)
  if (refusal !== undefined) return refusal
  const before = new Set(from.voters)
  const moved =
    [...before].filter((node) => !draft.voters.has(node)).length + [...draft.voters].filter((node) => !before.has(node)).length
  // Of two configurations that differ in one voter any two majorities meet (thesis 4.1).
  return moved > 1 ? 'needs-joint' : draft.changed(false)
}

export function changed(from: Configuration, change: MembershipChange): ChangedConfiguration | ChangeRefusal {
  if (isLeaving(change)) return leaveJoint(from)
  const joint = maybeJoint(change)
  return joint === undefined ? changeSimply(from, change.changes) : enterJoint(from, change.changes, joint.autoLeave)
}

export function isVoter({ voters, votersOutgoing }: Configuration, node: number): boolean {
  return voters.includes(node) || votersOutgoing.includes(node)
}

/** Everybody the configuration names, ascending. */
export function membersOf({ voters, votersOutgoing, learners, learnersNext }: Configuration): readonly number[] {
  return [...new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext])].sort((left, right) => left - right)
}
