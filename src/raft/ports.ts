// Owns what Raft needs from around it: a way to its peers, and state machines that entries are for. Not the WAL (tiers/ports.ts).

import type { RaftEntry, RaftMessage, RaftSnapshot, Role, SupportMessage } from './core/index.ts'

/** One message of one group on its way to another node. */
export interface Envelope {
  readonly group: number
  readonly message: RaftMessage
  /** In an answer to a leader: the epoch in which the answering node supports the leader's (support.ts); else 0. */
  readonly supportEpoch: number
}

/**
 * Carries messages to peers, in order while a connection lasts. What cannot be sent now is dropped: Raft repeats itself. When messages may have
 * been lost, the driver is told (`MultiRaft.disconnected`).
 */
export interface RaftTransport {
  /** Messages of one turn of the event loop. Nothing of them changes afterwards. */
  send(to: number, envelopes: readonly Envelope[]): void
  /** On a way of its own: neither waits behind large messages (C27). */
  sendSupport(to: number, message: SupportMessage): void
}

/** What a transport tells the node it works for (`MultiRaft`). */
export interface TransportHandlers {
  receive(from: number, envelopes: readonly Envelope[]): void
  receiveSupport(from: number, message: SupportMessage): void
  /** Messages to the peer may have been lost. */
  disconnected(peer: number): void
}

export interface RoleView {
  readonly role: Role
  readonly term: number
  /** 0: nobody is known to lead. */
  readonly lead: number
}

/** The state machines of a node's groups. None of the calls may throw: what is committed has to be taken. */
export interface GroupMachines {
  /** Entries that are committed and durable here, in order, each once per start. `node` entries are Raft's own and change nothing. */
  apply(group: number, entries: readonly RaftEntry[]): void
  /** Fetches and checks what a snapshot points to. Rejects when it cannot be had; then another is sent. */
  prepare(group: number, snapshot: RaftSnapshot): Promise<unknown>
  /** The snapshot takes the place of all that was applied. `prepared`: what `prepare` resolved with. */
  install(group: number, snapshot: RaftSnapshot, prepared: unknown): void
  /**
   * A member can go on only with a snapshot, and needs one that names all members there are now: to be taken of what is applied, and told
   * by `MultiRaft.compact`. Asked again while it is missing.
   */
  wantSnapshot(group: number): void
  /** Entries of the group that are kept stand elsewhere in the WAL now: their files are about to go. */
  moved(group: number): void
  onRole(group: number, view: RoleView): void
}
