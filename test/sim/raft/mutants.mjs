/**
 * Owns the faults that are planted to see whether the simulation finds them: each replaces one piece of the product's source, which must stand
 * there exactly once. A fault that is not found means that an invariant is not looked at.
 */
const core = 'src/raft/core/'
const driver = 'src/raft/driver/'

/** @type {ReadonlyArray<{name: string, file: string, find: string, put: string, profile?: string}>} */
export const mutants = [
  {
    name: 'votes twice in a term',
    file: `${core}election.ts`,
    find: '(member.vote === nobody && member.lead === nobody)',
    put: 'member.lead === nobody',
  },
  { name: 'forgets whom it voted for', file: `${core}election.ts`, find: '  member.vote = received.from\n', put: '' },
  {
    name: 'votes for a log that has less',
    file: `${core}election.ts`,
    find: '!member.log.isUpToDate({ term: received.logTerm, index: received.index })',
    put: 'false',
  },
  {
    name: 'begins a term without asking whether it can win',
    file: `${core}raft.ts`,
    find: "this.options.preVote ? 'pre-election' : 'election'",
    put: "'election'",
  },
  {
    name: 'commits an entry of an old term by counting',
    file: `${core}replication.ts`,
    find: 'return member.log.maybeCommit({ term: member.term, index: member.quorumIndex() })',
    put: 'const index = member.quorumIndex()\n  return member.log.maybeCommit({ term: Number(member.log.termAt(index)), index })',
  },
  {
    name: 'counts its own append before it is synced',
    file: `${core}replication.ts`,
    find: "  member.send('append-response', member.id, { index: member.log.lastIndex })\n",
    put: '  member.progressOf(member.id).acknowledge(member.log.lastIndex)\n',
  },
  {
    name: 'takes entries behind another one than the leader has',
    file: `${core}raft-log.ts`,
    find: '    if (!this.matches(previous)) return false\n',
    put: '    if (previous.index > this.lastIndex) return false\n',
  },
  {
    name: 'applies what is not on its own disk',
    file: `${core}ready.ts`,
    find: 'committed: raft.log.nextCommitted(!raft.options.asynchronousStorage)',
    put: 'committed: raft.log.nextCommitted(true)',
  },
  {
    name: 'commits with the new half of a joint configuration alone',
    file: `${core}quorum.ts`,
    find: 'return Math.min(majorityIndex(incoming, acknowledged), majorityIndex(outgoing, acknowledged))',
    put: 'return majorityIndex(outgoing.size > 0 ? incoming : incoming, acknowledged)',
    profile: 'membership',
  },
  {
    name: 'is elected by the new half of a joint configuration alone',
    file: `${core}quorum.ts`,
    find: '  const right = majorityVote(outgoing, voteOf)\n',
    put: '  const right = left\n',
    profile: 'membership',
  },
  {
    name: 'has two changes of membership under way',
    file: `${core}leader.ts`,
    find: 'const isPending = member.pendingChangeIndex > member.log.applied',
    put: 'const isPending = false',
    profile: 'membership',
  },
  {
    name: 'goes on with two voters',
    file: `${driver}multi-raft.ts`,
    find: 'const votersMin = 3',
    put: 'const votersMin = 2',
    profile: 'membership',
  },
  {
    name: 'answers reads without asking a quorum',
    file: `${core}reads.ts`,
    find: "if (member.options.reads === 'lease-based')",
    put: 'if (member.id > 0)',
    profile: 'partitions',
  },
  {
    name: 'answers reads before it knows what is committed',
    file: `${core}leader.ts`,
    find: 'else if (member.hasCommittedInTerm()) startRead(member, received)',
    put: 'else if (member.id > 0) startRead(member, received)',
  },
  {
    name: 'acknowledges before it has synced',
    file: `${driver}group-writer.ts`,
    find: '      this.#written.push(stored)\n',
    put: '      this.#options.onStored(stored)\n',
  },
  {
    name: 'asks for votes before its own is synced',
    file: `${driver}multi-raft.ts`,
    find: "else if (one.type !== 'vote') this.#post(group, one)",
    put: 'else this.#post(group, one)',
  },
  {
    name: 'does not store whom it voted for',
    file: `${driver}group-writer.ts`,
    find: 'term !== group.storedTerm || vote !== group.storedVote || ',
    put: 'term !== group.storedTerm || ',
  },
  {
    name: 'leaves what was overwritten at the end of its log',
    file: `${driver}group-log.ts`,
    find: '      this.#entries.length = at\n      this.#positions.length = at\n',
    put: '      this.#entries.length += 0\n',
  },
  {
    name: 'says that it has synced what it has only written',
    file: 'tiers/wal/hot-wal.ts',
    find: 'await (how.syncing ? file.writevSynced(rest, at) : file.writev(rest, at))',
    put: 'await file.writev(rest, at)',
  },
  {
    name: 'forgets its promises when it starts again',
    file: `${core}support.ts`,
    find: 'this.votesFromMs = nowMs + settings.supportMs * (1 + 2 * settings.driftMax)',
    put: 'this.votesFromMs = nowMs',
  },
  {
    name: 'does not notice that who has promised has forgotten it',
    file: `${core}support.ts`,
    find: '(asked.boot !== undefined && asked.boot !== answer.boot)',
    put: 'answer.boot < 0',
    profile: 'crashes',
  },
  {
    name: 'withdraws a promise before it ends',
    file: `${core}support.ts`,
    find: 'if (promised.isWithdrawn || promised.untilMs > nowMs) continue',
    put: 'if (promised.isWithdrawn || promised.untilMs > nowMs + 200) continue',
  },
  {
    name: 'counts on a promise from when it heard of it',
    file: `${core}support.ts`,
    find: 'answer.sentMs + supportMs * (1 - 2 * driftMax) - guardMs',
    put: 'nowMs + supportMs * (1 - 2 * driftMax) - guardMs',
  },
  {
    name: 'believes that all clocks run alike',
    file: `${core}support.ts`,
    find: 'answer.sentMs + supportMs * (1 - 2 * driftMax) - guardMs',
    put: 'answer.sentMs + supportMs + 0 * driftMax * guardMs',
  },
  {
    name: 'supports an epoch again that it has withdrawn from',
    file: `${core}support.ts`,
    find: 'before.isWithdrawn ? before.epoch + 1 : before.epoch',
    put: 'before.epoch',
  },
  {
    name: 'keeps its lease while it hands over',
    file: `${driver}group.ts`,
    find: "raft.role !== 'leader' || raft.leadTransferee !== nobody || this.#handedOverTerm === raft.term || isChanging",
    put: "raft.role !== 'leader' || isChanging",
    profile: 'calm',
  },
  {
    name: 'has a lease before it knows what is committed',
    file: `${driver}group.ts`,
    find: '    if (!raft.hasCommittedInTerm()) return 0\n',
    put: '',
  },
  {
    name: 'counts on promises that were made in an earlier term',
    file: `${driver}group.ts`,
    find: 'epoch !== 0 && this.#fortifiedTerm === this.node.raft.term && this.#fortified.get(id) === epoch',
    put: 'epoch !== 0',
  },
  {
    name: 'does not tell that it leads no more',
    file: `${driver}multi-raft.ts`,
    find: '      this.#tellResigned(group, nowMs)\n',
    put: '',
  },
  {
    name: 'waits for ever for a snapshot that was lost',
    file: `${driver}multi-raft.ts`,
    find: "    if (progress.state === 'snapshot') group.node.reportSnapshot(peer, false)\n    else group.node.reportUnreachable(peer)\n",
    put: '    group.node.reportUnreachable(peer)\n',
  },
  {
    name: 'does not notice that its leader’s node is lost',
    file: `${driver}multi-raft.ts`,
    find: '    for (const peer of this.support.withdraw(nowMs)) this.#lost(peer)\n',
    put: '    this.support.withdraw(nowMs)\n',
    profile: 'crashes',
  },
  {
    name: 'lets go of WAL files that a group needs',
    file: `${driver}wal-keeping.ts`,
    find: 'store.release(Math.min(file, ...oldest))',
    put: 'store.release(file + 0 * oldest.length)',
    profile: 'disks',
  },
  {
    name: 'lets go of a hard state whose successor is not synced',
    file: `${driver}wal-keeping.ts`,
    find: '    const oldest = [...groups.values()].map(({ log }) => log.oldestFile ?? Infinity)\n    await store.durable()\n',
    put: '    await store.durable()\n    const oldest = [...groups.values()].map(({ log }) => log.oldestFile ?? Infinity)\n',
    profile: 'disks',
  },
  {
    name: 'numbers its starts from memory',
    file: `${driver}wal-store.ts`,
    find: '    this.#bootPosition = this.#node(0, 0, encodeBoot(boot))\n    await this.#wal.durable()\n',
    put: '    await this.#wal.durable()\n',
  },
]
