// Owns the times and sizes of the driver, and how they must stand to each other for a failover below a second (multi-raft.md, 3.5).

import type { RaftOptions, SupportSettings } from '../core/index.ts'

export interface MultiRaftSettings {
  /** All other nodes this one may share a group with. */
  readonly peers: readonly number[]
  /** Of groups that are not quiet. */
  readonly tickMs: number
  /** Between two requests for support to each peer. */
  readonly requestMs: number
  /** Between two looks for promises that have ended. */
  readonly withdrawMs: number
  /** Between the first and the second to campaign for a group without leader. */
  readonly staggerMs: number
  /** A disk that has not finished a sync for so long stands still. */
  readonly stallMs: number
  /** A read that has no answer by then has none. */
  readonly readMs: number
  readonly writeAgainMs: number
  readonly groupsPerTurnMax: number
  /** Payloads a group keeps at hand for members that lag behind; and what is read of the WAL at a time for those that lag further. */
  readonly rememberedBytesMax: number
  readonly recalledBytesMax: number
  readonly support: SupportSettings
  readonly core: Omit<RaftOptions, 'id' | 'jitter'>
}

const kib = 1024
const mib = 1024 * kib

export const multiRaftDefaults: Omit<MultiRaftSettings, 'peers'> = {
  tickMs: 50,
  requestMs: 75,
  withdrawMs: 20,
  staggerMs: 50,
  stallMs: 300,
  readMs: 1_000,
  writeAgainMs: 10,
  groupsPerTurnMax: 256,
  rememberedBytesMax: 256 * kib,
  recalledBytesMax: mib,
  support: { supportMs: 450, driftMax: 0.01, guardMs: 5 },
  core: {
    electionTicks: 10,
    heartbeatTicks: 2,
    messageBytesMax: mib,
    uncommittedBytesMax: 16 * mib,
    applyingBytesMax: 64 * mib,
    inflight: { messagesMax: 128, bytesMax: 8 * mib },
    preVote: true,
    checkQuorum: true,
    reads: 'safe',
    asynchronousStorage: true,
    forwardsProposals: false,
    validatesChanges: true,
    stepsDownOnRemoval: true,
  },
}
