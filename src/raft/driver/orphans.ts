// Owns groups that have lost their leader's node, and who campaigns for them when (C23): one member first, the next a little later, so that
// they do not take each other's votes. Not what a campaign is (core), nor who is lost (multi-raft.ts).

import type { Clock } from '../../base/clock.ts'
import { nobody, type NodeSupport } from '../core/index.ts'
import type { Group } from './group.ts'

export interface OrphansOptions {
  readonly support: NodeSupport
  readonly clock: Clock
  readonly staggerMs: number
  readonly onCampaign: (group: Group) => void
}

export class Orphans {
  readonly #options: OrphansOptions
  /** When each campaigns next. */
  readonly #campaignAtMs = new Map<Group, number>()

  constructor(options: OrphansOptions) {
    this.#options = options
  }

  add(group: Group, gone: number): void {
    const { clock, staggerMs } = this.#options
    this.#campaignAtMs.set(group, clock.monotonicMs() + rankOf(group, gone) * staggerMs)
  }

  /** It has a leader. */
  delete(group: Group): void {
    this.#campaignAtMs.delete(group)
  }

  /** Whose turn it is; and again, as long as nobody leads. */
  campaign(): void {
    const { support, clock, staggerMs, onCampaign } = this.#options
    const nowMs = clock.monotonicMs()
    for (const [group, atMs] of this.#campaignAtMs) {
      const { raft } = group.node
      if (raft.lead !== nobody || raft.role === 'leader' || group.isPromised(support)) {
        this.#campaignAtMs.delete(group)
      } else if (nowMs >= atMs && nowMs >= support.votesFromMs) {
        // A candidate's votes may be on their way; who only asks whether it could win asks again.
        if (raft.role !== 'candidate') group.node.campaign()
        this.#campaignAtMs.set(group, nowMs + raft.memberIds.length * staggerMs)
        onCampaign(group)
      }
    }
  }
}

/** Among the voters that are left: each group another first, so that what a node led is spread. */
function rankOf({ number, node }: Group, gone: number): number {
  const { configuration, id } = node.raft
  const left = [...new Set([...configuration.voters, ...configuration.votersOutgoing])]
    .filter((voter) => voter !== gone)
    .sort((a, b) => a - b)
  const own = left.indexOf(id)
  return own < 0 ? left.length : (own + number) % left.length
}
