// Owns the settings a node is built from: the shape the composition root takes. Not their names, defaults and validation (src/cli).

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
    readonly requestBytesMax: number
    readonly connectionsMax: number
    readonly connectionsIdleMs: number
    readonly autoCreateTopics: boolean
    readonly numPartitions: number
    readonly responseQueueBytesMax: number
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
  readonly delete: { readonly graceMs: number }
  readonly groups: {
    readonly offsetsPartitions: number
    readonly sessionTimeoutMinMs: number
    readonly sessionTimeoutMaxMs: number
    readonly initialRebalanceDelayMs: number
    readonly maxSize: number
    readonly consumerSessionTimeoutMs: number
    readonly consumerHeartbeatIntervalMs: number
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
