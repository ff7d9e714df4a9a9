// Owns what a majority is, of one set of voters and of two at a time (joint consensus, Raft thesis 4.3). Not who they are.

export type VoteResult = 'won' | 'lost' | 'pending'

/** The greatest index that a majority of the voters has acknowledged; infinite without voters: then the other half decides. */
export function majorityIndex(voters: ReadonlySet<number>, acknowledged: (voter: number) => number): number {
  const indexes = [...voters].map(acknowledged).sort((left, right) => left - right)
  // Of 2n+1 the n+1st from above, of 2n too.
  return indexes.length === 0 ? Infinity : (indexes[Math.ceil(indexes.length / 2) - 1] ?? 0)
}

export function majorityVote(voters: ReadonlySet<number>, voteOf: (voter: number) => boolean | undefined): VoteResult {
  if (voters.size === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = voteOf(voter)
    if (vote === undefined) missing += 1
    else if (vote) granted += 1
  }
  const needed = Math.floor(voters.size / 2) + 1
  if (granted >= needed) return 'won'
  return granted + missing >= needed ? 'pending' : 'lost'
}

/** Both halves of a joint configuration must agree; without an outgoing half the incoming one decides. */
export interface Voters {
  readonly incoming: ReadonlySet<number>
  readonly outgoing: ReadonlySet<number>
}

export function jointIndex({ incoming, outgoing }: Voters, acknowledged: (voter: number) => number): number {
  return Math.min(majorityIndex(incoming, acknowledged), majorityIndex(outgoing, acknowledged))
}

export function jointVote({ incoming, outgoing }: Voters, voteOf: (voter: number) => boolean | undefined): VoteResult {
  const left = majorityVote(incoming, voteOf)
  const right = majorityVote(outgoing, voteOf)
  if (left === right) return left
  return left === 'lost' || right === 'lost' ? 'lost' : 'pending'
}
