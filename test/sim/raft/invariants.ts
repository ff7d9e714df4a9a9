/**
 * Owns what must hold at every step of every schedule (multi-raft.md, S1–S15, as far as this layer knows of it): each is asserted after
 * every event, from what can be seen of the nodes and of their disks; never from what they say of themselves where it can be helped.
 */
import type { Configuration, RaftEntry, RaftMessage, RaftSnapshot } from '../../../src/raft/core/index.ts'
import type { Group } from '../../../src/raft/driver/group.ts'
import type { Envelope, RoleView } from '../../../src/raft/ports.ts'
import type { Applied, Observer, SimNode } from './sim-node.ts'

/** An invariant does not hold. */
export class Breach extends Error {
  readonly invariant: string

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
  }
}

/** What one member was seen to be, across its starts. */
interface Seen {
  term: number
  /** The greatest term that it has told anybody. */
  toldTerm: number
  /** In this process. */
  committed: number
  applied: number
  raft: object | undefined
  /** The process of which it was looked at what it had found. */
  recovered: object | undefined
  votes: Map<number, number>
  /** The last entry that it has acknowledged, or counted itself. */
  ackedTerm: number
  ackedIndex: number
  /** Who has granted it a vote, or a pre-vote, in that term; and in which term a leader asked it to take over. */
  grants: Map<string, Set<number>>
  askedInTerm: number
  role: string
  /** As leader: its term and last index. */
  leadTerm: number
  lastIndex: number
  lastTerm: number
}

interface GroupFacts {
  readonly leaders: Map<number, number>
  /** Of each (index, term): its payload, the term before it. */
  readonly entries: Map<string, { readonly text: string; readonly previousTerm: number }>
  /** By index: what was committed there. */
  readonly committed: Map<number, { readonly term: number; readonly text: string; readonly hash: number }>
  /** The greatest index that any member knew to be committed. */
  highest: number
  /** The greatest term of whose entries one was committed. */
  highestTerm: number
  /** The greatest term whose leader has asked another to take over. */
  handedOverTerm: number
}

const textOf = ({ kind, change, payload }: RaftEntry): string =>
  change === undefined ? `${kind} ${Buffer.from(payload).toString()}` : JSON.stringify(change)

export class Invariants implements Observer {
  /** How often what a run is for has happened. */
  readonly counts: Record<string, number> = {}
  readonly #nodes: ReadonlyMap<number, SimNode>
  readonly #facts = new Map<number, GroupFacts>()
  readonly #seen = new Map<string, Seen>()
  readonly onAppliedAt: (node: SimNode, group: number, entry: RaftEntry) => void

  constructor(nodes: ReadonlyMap<number, SimNode>, onAppliedAt: (node: SimNode, group: number, entry: RaftEntry) => void) {
    this.#nodes = nodes
    this.onAppliedAt = onAppliedAt
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  facts(group: number): GroupFacts {
    let facts = this.#facts.get(group)
    if (facts === undefined) {
      facts = { leaders: new Map(), entries: new Map(), committed: new Map(), highest: 0, highestTerm: 0, handedOverTerm: 0 }
      this.#facts.set(group, facts)
    }
    return facts
  }

  #seenOf(node: SimNode, group: number): Seen {
    const key = `${node.id}/${group}`
    let seen = this.#seen.get(key)
    if (seen === undefined) {
      seen = {
        term: 0,
        toldTerm: 0,
        committed: 0,
        applied: 0,
        raft: undefined,
        recovered: undefined,
        votes: new Map(),
        ackedTerm: 0,
        ackedIndex: 0,
        grants: new Map(),
        askedInTerm: 0,
        role: 'follower',
        leadTerm: 0,
        lastIndex: 0,
        lastTerm: 0,
      }
      this.#seen.set(key, seen)
    }
    return seen
  }

  // --- what nodes do

  onDelivered(node: SimNode, envelopes: readonly Envelope[]): void {
    for (const {
      group,
      message: { type, term, from, reject },
    } of envelopes) {
      const seen = this.#seenOf(node, group)
      if (type === 'timeout-now') {
        seen.askedInTerm = Math.max(seen.askedInTerm, term)
        const facts = this.facts(group)
        facts.handedOverTerm = Math.max(facts.handedOverTerm, term)
      }
      if ((type !== 'vote-response' && type !== 'pre-vote-response') || reject) continue
      const key = `${type} ${term}`
      const grants = seen.grants.get(key) ?? new Set()
      grants.add(from)
      seen.grants.set(key, grants)
    }
  }

  #hasGrants(node: SimNode, { number, node: { raft } }: Group, key: string): boolean {
    const grants = this.#seenOf(node, number).grants.get(key) ?? new Set<number>()
    return isQuorum(raft.configuration, (id) => id === node.id || grants.has(id))
  }

  onRole(node: SimNode, group: number, { role, term, lead }: RoleView): void {
    if (role !== 'leader') return
    this.count('leader')
    const facts = this.facts(group)
    const other = facts.leaders.get(term)
    if (other !== undefined && other !== node.id)
      throw new Breach('S1', `nodes ${other} and ${node.id} lead group ${group} in term ${term}`)
    facts.leaders.set(term, node.id)
    if (lead !== node.id) throw new Breach('S1', `node ${node.id} leads group ${group} and takes ${lead} for its leader`)
    const member = node.raft!.group(group)!
    if (!this.#hasGrants(node, member, `vote-response ${term}`))
      throw new Breach('S1', `node ${node.id} leads group ${group} in term ${term} without the votes of a quorum`)
    const { log } = member.node.raft
    for (const [index, { term: committedTerm }] of facts.committed) {
      if (index < log.firstIndex) continue
      if (log.termAt(index) !== committedTerm)
        throw new Breach(
          'S4',
          `node ${node.id} leads group ${group} in term ${term} without entry ${index} of term ${committedTerm}`,
        )
    }
  }

  onApplied(node: SimNode, group: number, entry: RaftEntry, now: Applied): void {
    const { committed } = this.facts(group)
    const known = committed.get(entry.index)
    const text = textOf(entry)
    if (known === undefined) committed.set(entry.index, { term: entry.term, text, hash: now.hash })
    else if (known.term !== entry.term || known.text !== text || known.hash !== now.hash)
      throw new Breach(
        'S5',
        `node ${node.id} applies ${entry.index} of group ${group} as (${entry.term}, ${text}), others as (${known.term}, ${known.text})`,
      )
    const member = node.raft?.group(group)
    if (member !== undefined && !isEntryDurable(node, member, entry.index))
      throw new Breach('S8', `node ${node.id} applies ${entry.index} of group ${group}, which is not on its disk`)
    this.#applied(node, group, now.index, entry.index - 1)
    this.onAppliedAt(node, group, entry)
  }

  onInstalled(node: SimNode, group: number, snapshot: RaftSnapshot, now: Applied): void {
    this.count('snapshot installed')
    const known = this.facts(group).committed.get(snapshot.index)
    if (known === undefined)
      throw new Breach('S14', `node ${node.id} installs a snapshot of group ${group} at ${snapshot.index}, not committed`)
    if (now.index !== snapshot.index || known.hash !== now.hash || known.term !== snapshot.term)
      throw new Breach('S14', `the snapshot of group ${group} at ${snapshot.index} is not the state there`)
    this.#applied(node, group, now.index, undefined)
  }

  #applied(node: SimNode, group: number, index: number, follows: number | undefined): void {
    const seen = this.#seenOf(node, group)
    this.#sameProcess(node, seen)
    if (index <= seen.applied && follows !== undefined)
      throw new Breach('S6', `node ${node.id} applies ${index} of group ${group} again`)
    if (follows !== undefined && seen.applied !== 0 && follows !== seen.applied)
      throw new Breach('S6', `node ${node.id} applies ${index} of group ${group} after ${seen.applied}`)
    seen.applied = Math.max(seen.applied, index)
  }

  onFatal(node: SimNode, error: unknown): void {
    throw new Breach('fatal', `node ${node.id}: ${String(error)}`)
  }

  /** S8: what is said now must be on disk now. S7: one vote in a term. */
  onSent(node: SimNode, _to: number, envelopes: readonly Envelope[]): void {
    for (const { group, message } of envelopes) {
      const member = node.raft?.group(group)
      if (member === undefined) continue
      if (message.type === 'vote') this.#voted(node, member, { term: message.term, for: node.id })
      if (message.type === 'vote-response' && !message.reject) this.#voted(node, member, { term: message.term, for: message.to })
      if (message.type === 'append-response' && !message.reject) this.#acked(node, member, message)
      if (message.type === 'snapshot') this.count('snapshot sent')
    }
  }

  #voted(node: SimNode, member: Group, vote: { readonly term: number; readonly for: number }): void {
    const seen = this.#seenOf(node, member.number)
    const before = seen.votes.get(vote.term)
    if (before !== undefined && before !== vote.for)
      throw new Breach('S7', `node ${node.id} votes for ${before} and ${vote.for} in term ${vote.term} of group ${member.number}`)
    seen.votes.set(vote.term, vote.for)
    seen.toldTerm = Math.max(seen.toldTerm, vote.term)
    // A later term on disk holds the vote of an earlier one for ever.
    if (!isHardDurable(node, member.number, (term, voted) => term > vote.term || (term === vote.term && voted === vote.for)))
      throw new Breach(
        'S8',
        `node ${node.id} tells its vote in term ${vote.term} of group ${member.number}, which is not on disk`,
      )
  }

  #acked(node: SimNode, member: Group, { index, term }: RaftMessage): void {
    const seen = this.#seenOf(node, member.number)
    const { log } = member
    seen.toldTerm = Math.max(seen.toldTerm, term)
    if (!isHardDurable(node, member.number, (onDisk) => onDisk >= term))
      throw new Breach('S8', `node ${node.id} answers in term ${term} of group ${member.number}, which is not on disk`)
    const at = Math.min(index, log.lastIndex())
    const entryTerm = log.termAt(at)
    // Overwritten by a later leader meanwhile: what was acknowledged was on disk then, and the term protects it.
    if (typeof entryTerm !== 'number' || member.node.raft.term > term) return
    if (index > log.lastIndex() || !isEntryDurable(node, member, at))
      throw new Breach('S8', `node ${node.id} acknowledges ${index} of group ${member.number}, which is not on disk`)
    if (entryTerm > seen.ackedTerm || (entryTerm === seen.ackedTerm && at > seen.ackedIndex)) {
      seen.ackedTerm = entryTerm
      seen.ackedIndex = at
    }
  }

  // --- after every event

  check(): void {
    for (const node of this.#nodes.values()) {
      if (node.raft === undefined) continue
      for (const group of this.#facts.keys()) {
        const member = node.raft.group(group)
        if (member !== undefined) this.#checkMember(node, member)
      }
    }
    this.#checkLeases()
    this.#checkSupport()
  }

  #sameProcess(node: SimNode, seen: Seen): void {
    if (seen.raft === node.raft) return
    seen.raft = node.raft
    seen.committed = 0
    seen.applied = 0
    seen.leadTerm = 0
    seen.term = 0
  }

  #checkMember(node: SimNode, member: Group): void {
    const { raft } = member.node
    const { log } = raft
    const seen = this.#seenOf(node, member.number)
    this.#sameProcess(node, seen)
    if (seen.recovered !== node.raft) {
      seen.recovered = node.raft
      this.#checkRecovered(node, member, seen)
    }
    if (raft.term < seen.term)
      throw new Breach('S7', `the term of group ${member.number} falls at node ${node.id}: ${seen.term}, ${raft.term}`)
    // PreVote: a campaign that could not be won raises no term (thesis 9.6).
    if (raft.role === 'candidate' && (seen.role !== 'candidate' || raft.term > seen.term) && seen.askedInTerm !== raft.term - 1) {
      if (!this.#hasGrants(node, member, `pre-vote-response ${raft.term}`))
        throw new Breach(
          'PreVote',
          `node ${node.id} begins term ${raft.term} of group ${member.number} though it was not told that it can win`,
        )
    }
    seen.role = raft.role
    seen.term = raft.term
    if (log.committed < seen.committed) throw new Breach('S6', `commit of group ${member.number} falls at node ${node.id}`)
    if (log.applied > log.committed || log.committed > log.lastIndex)
      throw new Breach('S6', `node ${node.id}: applied ≤ commit ≤ last does not hold`)
    const lastTerm = Number(log.termAt(log.lastIndex))
    if (lastTerm !== seen.lastTerm || log.lastIndex !== seen.lastIndex) this.#checkLog(member)
    this.#checkLeader(node, member, seen)
    seen.lastIndex = log.lastIndex
    seen.lastTerm = lastTerm
    if (log.committed > seen.committed) this.#checkCommit(node, member, seen)
  }

  /** S15: what was acknowledged before is there again. */
  #checkRecovered(node: SimNode, member: Group, { ackedIndex, ackedTerm, toldTerm }: Seen): void {
    const { raft } = member.node
    if (raft.term < toldTerm)
      throw new Breach('S7', `node ${node.id} comes back in term ${raft.term} of group ${member.number}; it had said ${toldTerm}`)
    this.count('recovered')
    const lastTerm = raft.log.lastId().term
    if (ackedIndex >= raft.log.firstIndex && raft.log.termAt(ackedIndex) !== ackedTerm && lastTerm <= ackedTerm)
      throw new Breach(
        'S15',
        `node ${node.id} comes back without ${ackedIndex} of group ${member.number}, which it had acknowledged`,
      )
  }

  /** S3, by induction: of an entry that is known already, all before it is. */
  #checkLog({ number, node }: Group): void {
    const { log } = node.raft
    const { entries } = this.facts(number)
    for (let index = log.lastIndex; index >= log.firstIndex; index -= 1) {
      const [term, previous] = [log.termAt(index), log.termAt(index - 1)]
      if (typeof term !== 'number' || typeof previous !== 'number') return
      const key = `${index}:${term}`
      const known = entries.get(key)
      // What a log has just taken is in it as it came; of the rest the payload may be in the WAL only, and was looked at when it was taken.
      const fresh = known === undefined || index >= log.unstable.offset ? log.slice(index, index + 1, Infinity) : []
      const text = typeof fresh === 'string' || fresh[0] === undefined ? known?.text : textOf(fresh[0])
      if (known !== undefined) {
        if (known.text !== text || known.previousTerm !== previous)
          throw new Breach('S3', `two entries ${index} of term ${term} in group ${number}: ${known.text} and ${text}`)
        return
      }
      if (text !== undefined) entries.set(key, { text, previousTerm: previous })
    }
  }

  #checkLeader(node: SimNode, { number, node: { raft } }: Group, seen: Seen): void {
    if (raft.role !== 'leader') {
      seen.leadTerm = 0
      return
    }
    if (seen.leadTerm === raft.term && (raft.log.lastIndex < seen.lastIndex || raft.log.termAt(seen.lastIndex) !== seen.lastTerm))
      throw new Breach('S2', `leader ${node.id} of group ${number} drops entries of its log`)
    seen.leadTerm = raft.term
    const { configuration } = raft
    const { voters, votersOutgoing } = configuration
    if (voters.length < 3 || (votersOutgoing.length > 0 && votersOutgoing.length < 3))
      throw new Breach('S10', `group ${number} has ${voters.length} voters`)
    let pending = 0
    for (let index = raft.log.applied + 1; index <= raft.log.lastIndex; index += 1) {
      const slice = raft.log.slice(index, index + 1, Infinity)
      if (typeof slice !== 'string' && slice[0]!.term === raft.term && slice[0]!.change !== undefined) pending += 1
    }
    if (pending > 1)
      throw new Breach('S10', `leader ${node.id} of group ${number} has ${pending} changes of membership under way`)
  }

  #checkCommit(node: SimNode, member: Group, seen: Seen): void {
    const { raft } = member.node
    const { log } = raft
    const facts = this.facts(member.number)
    if (raft.role === 'leader' && log.committed > facts.highest) {
      if (log.termAt(log.committed) !== raft.term)
        throw new Breach(
          'S9',
          `leader ${node.id} of group ${member.number} commits ${log.committed} of an earlier term by counting`,
        )
      if (!isQuorum(raft.configuration, (id) => this.#held(id, member.number, raft.term) >= log.committed))
        throw new Breach(
          'S9',
          `leader ${node.id} of group ${member.number} commits ${log.committed}, which no quorum has on disk`,
        )
      facts.highestTerm = Math.max(facts.highestTerm, raft.term)
    }
    seen.committed = log.committed
    facts.highest = Math.max(facts.highest, log.committed)
  }

  /** How far a member's log is known to be on disk, and to be the log of the term's leader. */
  #held(id: number, group: number, term: number): number {
    const node = this.#nodes.get(id)
    const member = node?.raft?.group(group)
    if (node === undefined) return 0
    if (member?.isLeader === true && member.node.raft.term === term) {
      let index = member.log.lastIndex()
      while (index >= member.log.firstIndex() && !isEntryDurable(node, member, index)) index -= 1
      return index
    }
    const { ackedIndex, ackedTerm } = this.#seenOf(node, group)
    return ackedTerm === term ? ackedIndex : 0
  }

  /** S11: at any true time one lease at most, and none once somebody else has committed in a later term. */
  #checkLeases(): void {
    for (const [group, facts] of this.#facts) {
      let holder: SimNode | undefined
      for (const node of this.#nodes.values()) {
        if (node.raft?.hasLease(group) !== true) continue
        this.count('lease')
        if (holder !== undefined) throw new Breach('S11', `nodes ${holder.id} and ${node.id} hold a lease of group ${group}`)
        holder = node
        const member = node.raft.group(group)!
        const { term } = member.node.raft
        for (const id of member.fortifiedBy(node.raft.support, node.process!.monotonicMs())) this.#checkPromise(node, group, id)
        if (term <= facts.handedOverTerm)
          throw new Breach(
            'S11',
            `node ${node.id} holds a lease of group ${group} in term ${term}, in which it has asked another to take over`,
          )
        if (term < facts.highestTerm)
          throw new Breach(
            'S11',
            `node ${node.id} holds a lease of group ${group} in term ${term}; ${facts.highestTerm} has committed`,
          )
      }
    }
  }

  /** S12, of one group: whoever is counted on is bound, or gives no vote at all yet. */
  #checkPromise(leader: SimNode, group: number, id: number): void {
    const node = this.#nodes.get(id)
    const member = node?.raft?.group(group)
    if (node?.raft === undefined || node.process === undefined || member === undefined) return
    const { support } = node.raft
    const isBound = member.promisedNode(support) === leader.id || node.process.monotonicMs() < support.votesFromMs
    if (!isBound)
      throw new Breach('S12', `leader ${leader.id} of group ${group} counts on node ${id}, which has promised it nothing`)
  }

  /** S12: what a node counts on ends, in true time, before the promise does; and a promise that is counted on stands. */
  #checkSupport(): void {
    for (const node of this.#nodes.values()) {
      const { raft, process } = node
      if (raft === undefined || process === undefined) continue
      for (const peer of this.#nodes.values()) {
        if (peer === node) continue
        const { epoch } = raft.support.countedOn(peer.id, process.monotonicMs())
        if (epoch === 0) continue
        const promised = peer.raft?.support
        if (promised === undefined || peer.process === undefined) continue
        const isKept = promised.promisedTo(node.id) === epoch || peer.process.monotonicMs() < promised.votesFromMs
        if (!isKept) throw new Breach('S12', `node ${node.id} counts on ${peer.id} in epoch ${epoch}, which is withdrawn there`)
      }
    }
  }

  /** S13. */
  checkRead(group: number, index: number, highestAtStart: number, node: SimNode): void {
    this.count('read')
    if (index < highestAtStart)
      throw new Breach('S13', `node ${node.id} reads group ${group} at ${index}; ${highestAtStart} was committed when it asked`)
  }
}

/** Counted here once more, not asked of the core. */
function isQuorum({ voters, votersOutgoing }: Configuration, has: (id: number) => boolean): boolean {
  return [voters, votersOutgoing].every((half) => half.length === 0 || 2 * half.filter(has).length > half.length)
}

/** Read from the bytes that would survive a loss of power. */
function isEntryDurable({ written, disk }: SimNode, { number, log }: Group, index: number): boolean {
  const term = log.termAt(index)
  if (index < log.firstIndex() || written === undefined) return true
  return written.onDisk(disk, { group: number, index }, (entry) => entry.term === term)
}

function isHardDurable({ written, disk }: SimNode, group: number, fits: (term: number, vote: number) => boolean): boolean {
  return (
    written?.onDisk(disk, { group, index: 0 }, ({ term, payload }) =>
      fits(term, new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(1)),
    ) === true
  )
}
