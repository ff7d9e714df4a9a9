// Owns what goes into and comes out of the coordinator's core: asks, replies, records to append, and what follows an append. Not
// their wire forms (../wire-*.ts) nor the rules (the files beside this one).

import type { HeldPartitions, Partitions } from './consumer/partitions.ts'
import type { GroupRecord } from './durable.ts'

/** Both faces of now: the monotonic one drives every time-out, the wall one stamps records and decides retention. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

/** Names one waiting request; the shell makes them, never twice the same. */
export type Ticket = number
/** Makes a ticket for each change that its asker waits for. */
export type TicketSource = () => Ticket

/** The outcomes a client may be told, by their Kafka names. */
export type GroupError =
  | 'NONE'
  | 'UNKNOWN_SERVER_ERROR'
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'OFFSET_METADATA_TOO_LARGE'
  | 'COORDINATOR_LOAD_IN_PROGRESS'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'NOT_COORDINATOR'
  | 'ILLEGAL_GENERATION'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INVALID_GROUP_ID'
  | 'UNKNOWN_MEMBER_ID'
  | 'INVALID_SESSION_TIMEOUT'
  | 'REBALANCE_IN_PROGRESS'
  | 'INVALID_COMMIT_OFFSET_SIZE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'INVALID_PRODUCER_ID_MAPPING'
  | 'NON_EMPTY_GROUP'
  | 'GROUP_ID_NOT_FOUND'
  | 'MEMBER_ID_REQUIRED'
  | 'GROUP_MAX_SIZE_REACHED'
  | 'FENCED_INSTANCE_ID'
  | 'UNSTABLE_OFFSET_COMMIT'
  | 'GROUP_SUBSCRIBED_TO_TOPIC'
  | 'UNKNOWN_TOPIC_ID'
  | 'UNSUPPORTED_VERSION'
  | 'INVALID_REQUEST'
  | 'FENCED_MEMBER_EPOCH'
  | 'UNRELEASED_INSTANCE_ID'
  | 'UNSUPPORTED_ASSIGNOR'
  | 'STALE_MEMBER_EPOCH'
  | 'INVALID_REGULAR_EXPRESSION'

/** One assignment strategy a member offers, with the member's metadata for it. In order of preference. */
export interface Protocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface JoinAsk {
  readonly groupId: string
  /** Empty on the first attempt. */
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly Protocol[]
  /** The member id to give out if this ask needs one: chance is the shell's. */
  readonly freshMemberId: string
  /** The client understands MEMBER_ID_REQUIRED (JoinGroup 4 and above). */
  readonly requireKnownMemberId: boolean
  /** The client understands `skipAssignment` (JoinGroup 9 and above). */
  readonly canSkipAssignment: boolean
}

export interface JoinedMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly metadata: Uint8Array
}

export interface JoinReply {
  readonly kind: 'join'
  readonly error: GroupError
  readonly memberId: string
  readonly generation: number
  readonly protocolType: string | undefined
  readonly protocolName: string | undefined
  readonly leaderId: string
  readonly skipAssignment: boolean
  readonly members: readonly JoinedMember[]
}

/** Who speaks, in Heartbeat, SyncGroup and OffsetCommit. */
export interface MemberClaim {
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly generation: number
}

export interface SyncAsk extends MemberClaim {
  readonly protocolType: string | undefined
  readonly protocolName: string | undefined
  readonly assignments: ReadonlyMap<string, Uint8Array>
}

export interface SyncReply {
  readonly kind: 'sync'
  readonly error: GroupError
  readonly protocolType: string | undefined
  readonly protocolName: string | undefined
  readonly assignment: Uint8Array
}

export interface Leaver {
  readonly memberId: string
  readonly instanceId: string | undefined
}

export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly topicId: string | undefined
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

/** The producer whose transaction an offset commit belongs to. */
export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** A heartbeat of the consumer protocol; undefined: as it was said before. */
export interface ConsumerHeartbeatAsk {
  readonly groupId: string
  readonly memberId: string
  /** 0: joins; −1: leaves; −2: a static member leaves and will come back. */
  readonly memberEpoch: number
  readonly instanceId: string | undefined
  readonly rackId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number | undefined
  readonly topics: readonly string[] | undefined
  /** Empty: none any more. */
  readonly expression: string | undefined
  readonly assignor: string | undefined
  readonly owned: Partitions | undefined
}

export interface ConsumerHeartbeatReply {
  readonly kind: 'consumer-heartbeat'
  readonly error: GroupError
  readonly message: string | undefined
  readonly memberId: string
  readonly memberEpoch: number
  /** Undefined: as it was told before. */
  readonly assigned: HeldPartitions | undefined
}

export interface CommitAsk extends MemberClaim {
  /** The client says a member's epoch and understands that it is stale (OffsetCommit 9 and above); undefined: it does not. */
  readonly understandsEpochs?: boolean
  /** How long to keep these offsets; undefined: as long as the broker's retention says (OffsetCommit 2 to 4 may tell). */
  readonly retentionMs: number | undefined
  readonly offsets: readonly OffsetToCommit[]
  /** Present when the offsets wait for the end of a transaction. */
  readonly producer?: Producer
}

/** `errors` is aligned with what was asked. */
export interface CommitReply {
  readonly kind: 'commit'
  readonly errors: readonly GroupError[]
  /** The whole request was refused. */
  readonly refusal?: GroupError
}

export interface DeleteReply {
  readonly kind: 'delete'
  readonly error: GroupError
}

export type ReplyBody = JoinReply | SyncReply | CommitReply | DeleteReply | ConsumerHeartbeatReply

export interface Reply {
  readonly ticket: Ticket
  readonly body: ReplyBody
}

/** What falls due for one member of a consumer group; `join` and `sync` are of members that speak the classic protocol. */
export type MemberTimer = 'session' | 'rebalance' | 'join' | 'sync'

/** What waits for its turn to change a consumer group. */
export type Turn =
  | { readonly kind: 'heartbeat'; readonly ticket: Ticket; readonly ask: ConsumerHeartbeatAsk }
  | { readonly kind: 'join'; readonly ticket: Ticket; readonly ask: JoinAsk }
  | { readonly kind: 'leave'; readonly memberId: string }
  | { readonly kind: 'due'; readonly memberId: string; readonly timer: MemberTimer }
  | { readonly kind: 'delete'; readonly ticket: Ticket }
  /** Nobody speaks the consumer protocol any more. */
  | { readonly kind: 'downgrade' }

/** What the core does once an append is committed or has failed. Plain values, so that a schedule can be replayed. */
export type Continuation =
  /** The leader's assignment of `generation` becomes everybody's. */
  | { readonly kind: 'assignment'; readonly groupId: string; readonly generation: number }
  /** A group fell empty: nobody waits. */
  | { readonly kind: 'emptied'; readonly groupId: string }
  /** A static member came back under a new id; its join is answered. */
  | { readonly kind: 'returned'; readonly ticket: Ticket; readonly reply: JoinReply }
  | { readonly kind: 'committed'; readonly ticket: Ticket; readonly groupId: string; readonly reply: CommitReply }
  /** Offsets removed on request, by a deleted topic or by set-back (which rewrites): answered if somebody waits. */
  | { readonly kind: 'rewritten'; readonly ticket: Ticket | undefined; readonly groupId: string; readonly reply: CommitReply }
  | { readonly kind: 'deleted'; readonly ticket: Ticket | undefined; readonly groupId: string }
  | ConsumerChanged

/** A change of a consumer group: whoever waits is answered, then the next has its turn. */
export interface ConsumerChanged {
  readonly kind: 'consumer'
  readonly groupId: string
  readonly answer?: { readonly ticket: Ticket; readonly reply: JoinReply | ConsumerHeartbeatReply }
  /** Whose session begins anew. */
  readonly heardOf?: string
  /** The version of the topics that the change has taken into account. */
  readonly topicsVersion?: number
  /** What has its turn once the change is stored. */
  readonly resume?: Turn
  /** What fell due and falls due again if the change is not stored. */
  readonly dueAgain?: { readonly memberId: string; readonly timer: MemberTimer }
}

export interface Append {
  readonly groupId: string
  readonly records: readonly GroupRecord[]
  readonly producer: Producer | undefined
  readonly then: Continuation
}

/** What the shell must do after a step: answer, and append in this order. */
export interface Ready {
  readonly replies: readonly Reply[]
  readonly appends: readonly Append[]
}
