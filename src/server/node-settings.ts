// Owns the settings a node is built from: the shape the composition root takes. Not their names, defaults and validation (src/cli).

import type { SecurityProtocol } from './security/protocol.ts'
import type { SaslName } from './security/sasl-mechanism.ts'
import type { ClientAuth } from './security/tls-identity.ts'

interface HostPort {
  readonly host: string
  readonly port: number
}

export interface NodeSettings {
  readonly node: { readonly id: number; readonly rack: string }
  readonly cluster: { readonly takeover: boolean; readonly acceptWalLoss: boolean }
  readonly kafka: {
    readonly listen: HostPort
    readonly advertised: HostPort | undefined
    readonly securityProtocol: SecurityProtocol
    /** Instead of `listen`, when there are any. */
    readonly listeners: ReadonlyArray<HostPort & { readonly name: string; readonly protocol: SecurityProtocol }>
    readonly advertisedListeners: ReadonlyArray<HostPort & { readonly name: string }>
    readonly requestBytesMax: number
    readonly connectionsMax: number
    readonly connectionsIdleMs: number
    readonly autoCreateTopics: boolean
    readonly numPartitions: number
    readonly responseQueueBytesMax: number
    /** The most worker threads that open batches of records. */
    readonly recordsThreads: number
  }
  readonly tls: {
    readonly certificateFile: string | undefined
    readonly keyFile: string | undefined
    readonly keyPassword: string | undefined
    readonly caFile: string | undefined
    readonly clientAuth: ClientAuth
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
    readonly principalMappingRules: string
  }
  /** By the name of the listener: what it has of its own, over `tls`. */
  readonly listenerTls: Readonly<Record<string, Partial<NodeSettings['tls']>>>
  readonly sasl: {
    readonly mechanisms: readonly SaslName[]
    readonly plainUsersFile: string | undefined
    readonly adminUser: string | undefined
    readonly adminPassword: string | undefined
    readonly oauthJwksFile: string | undefined
    readonly oauthJwksUrl: string | undefined
    readonly oauthIssuer: string | undefined
    readonly oauthAudience: string | undefined
    readonly oauthSubjectClaim: string
    readonly oauthClockSkewMs: number
    readonly sessionMsMax: number
  }
  readonly security: { readonly reloadIntervalMs: number }
  readonly acl: { readonly enabled: boolean; readonly superUsers: readonly string[]; readonly allowIfNone: boolean }
  readonly quota: {
    readonly windowNum: number
    readonly windowSizeMs: number
    readonly controllerWindowNum: number
    readonly controllerWindowSizeMs: number
  }
  readonly http: { readonly listen: HostPort }
  readonly objectStore: { readonly backend: 's3' | 'local' | 'memory'; readonly localDir: string }
  readonly s3: {
    readonly bucket: string | undefined
    readonly endpoint: string | undefined
    readonly region: string
    readonly pathStyle: boolean
    readonly accessKey: string | undefined
    readonly secretKey: string | undefined
    readonly prefix: string
    readonly requestsInFlightMax: number
    readonly timeoutMs: number
  }
  readonly wal: {
    readonly dir: string
    readonly fileBytes: number
    readonly budgetBytes: number
    readonly retainBytes: number
    readonly fsync: 'always' | 'unsafe-never'
  }
  readonly stream: {
    readonly intervalMs: number
    readonly bucketIntervalMs: number
    readonly objectBytes: number
    readonly uploadsInFlightMax: number
    readonly heartbeatMs: number
  }
  readonly segment: {
    readonly bytesMax: number
    readonly ageMsMax: number
    readonly cacheBytes: number
    readonly uploadPartBytes: number
  }
  readonly snapshot: { readonly intervalMs: number; readonly keep: number }
  readonly cache: { readonly hotBytes: number }
  readonly retention: { readonly checkIntervalMs: number }
  readonly cleaner: {
    readonly enabled: boolean
    readonly backoffMs: number
    readonly dedupeBufferBytes: number
    /** 0: no limit. */
    readonly ioBytesPerSecondMax: number
  }
  readonly delete: { readonly graceMs: number }
  readonly groups: {
    readonly offsetsPartitions: number
    readonly sessionTimeoutMinMs: number
    readonly sessionTimeoutMaxMs: number
    readonly initialRebalanceDelayMs: number
    readonly maxSize: number
    readonly consumerSessionTimeoutMs: number
    readonly consumerHeartbeatIntervalMs: number
    /** Bounds of what a group may have for itself. */
    readonly consumerSessionTimeoutMinMs: number
    readonly consumerSessionTimeoutMaxMs: number
    readonly consumerHeartbeatIntervalMinMs: number
    readonly consumerHeartbeatIntervalMaxMs: number
    readonly consumerMaxSize: number
    readonly consumerAssignors: readonly ('uniform' | 'range')[]
    readonly consumerMigrationPolicy: 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional'
  }
  readonly transactions: {
    readonly statePartitions: number
    readonly timeoutMaxMs: number
    readonly idExpirationMs: number
    readonly abortCheckMs: number
  }
  readonly offsets: { readonly retentionMs: number }
  readonly topicDefaults: Readonly<Record<string, string>>
}
