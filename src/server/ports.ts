// Owns what the server needs from other rooms, in one place. Not how any of it is done.

import type { Clock } from '../base/clock.ts'
import type { LogLevels } from '../base/log-levels.ts'
import type { Log } from '../base/log.ts'
import type { Prng } from '../base/prng.ts'
import type { Broker } from '../broker/api.ts'
import type { GroupSettings } from '../groups/index.ts'
import type { ApiMessages } from '../protocol/generated/codecs.ts'
import type { MarkerSink, TransactionCoordinator } from '../transactions/index.ts'
import type { AclPolicy } from './guard/decision.ts'
import type { ServerLimits } from './limits.ts'
import type { ListenerPlan } from './listener/endpoint.ts'
import type { ClientThrottles } from './quotas/client-throttles.ts'
import type { FrontSecurity } from './security/node-security.ts'

export type {
  AbortedRange,
  AppendResult,
  Broker,
  ConfigChange,
  ConfigEntry,
  KafkaFailure,
  MarkerRequest,
  OffsetAndTimestamp,
  PartitionView,
  ReadResult,
  TopicView,
} from '../broker/api.ts'

export interface FrontSettings {
  /** At least one. */
  readonly listeners: readonly ListenerPlan[]
  readonly rack: string | null
  /** `kafka.auto-create-topics`: a Metadata request for an unknown topic creates it, if the client allows that as well. */
  readonly autoCreateTopics: boolean
  /** What groups may have for themselves, and have else. */
  readonly groups: GroupSettings
  /** Absent: ACLs are not asked. */
  readonly aclPolicy?: AclPolicy
}

/** Who is asking, as the group APIs show it. */
export interface ClientFacts {
  readonly clientId: string
  readonly clientHost: string
}

type Delegated<Name extends keyof ApiMessages> = (
  client: ClientFacts,
  request: ApiMessages[Name]['request'],
  version: number,
) => ApiMessages[Name]['response'] | Promise<ApiMessages[Name]['response']>

/** The coordinator of transactions. */
export type Transactions = Pick<TransactionCoordinator, 'init' | 'add' | 'verify' | 'end' | 'describe' | 'list'>

/** The coordinator of consumer groups: answers in Kafka's own messages, errors included. */
export interface GroupCoordinator {
  /** The partition of `__consumer_offsets` in which the group lives. */
  partitionFor(groupId: string): number
  readonly joinGroup: Delegated<'JoinGroup'>
  readonly syncGroup: Delegated<'SyncGroup'>
  readonly heartbeat: Delegated<'Heartbeat'>
  readonly leaveGroup: Delegated<'LeaveGroup'>
  readonly consumerGroupHeartbeat: Delegated<'ConsumerGroupHeartbeat'>
  readonly consumerGroupDescribe: Delegated<'ConsumerGroupDescribe'>
  readonly offsetCommit: Delegated<'OffsetCommit'>
  readonly offsetFetch: Delegated<'OffsetFetch'>
  readonly listGroups: Delegated<'ListGroups'>
  readonly describeGroups: Delegated<'DescribeGroups'>
  readonly deleteGroups: Delegated<'DeleteGroups'>
  readonly offsetDelete: Delegated<'OffsetDelete'>
  readonly txnOffsetCommit: Delegated<'TxnOffsetCommit'>
}

/** The one folder of this node that clients hear of. */
export interface LogDir {
  readonly path: string
  /** Of the file system it is on. */
  space(): Promise<{ readonly totalBytes: number; readonly usableBytes: number }>
}

/** What the Kafka front is made of. */
export interface FrontPorts {
  readonly broker: Broker
  readonly groups: GroupCoordinator
  readonly transactions: Transactions
  readonly markers: MarkerSink
  readonly clock: Clock
  readonly prng: Prng
  readonly log: Log
  /** Which of the lines of each logger are written. */
  readonly logLevels: LogLevels
  readonly settings: FrontSettings
  readonly limits: ServerLimits
  readonly logDir: LogDir
  /** Absent: no listener uses TLS or SASL. */
  readonly security?: FrontSecurity
  /** Calls back when acknowledgements may leave; at once when absent. */
  readonly whenAllowed?: (flush: () => void) => void
}

/** What every handler may use. */
export interface HandlerPorts extends FrontPorts {
  readonly throttles: ClientThrottles
}
