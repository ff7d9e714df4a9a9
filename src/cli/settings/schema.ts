// Owns the one table of settings: TOML key, environment name, flag, kind, default, sentence. Help, docs/configuration.md, the type
// `Settings` and all checks are made from it. Relations between settings are in relations.ts.

import {
  type Kind,
  address,
  bytes,
  choice,
  choices,
  count,
  folder,
  milliseconds,
  optionalEndpoint,
  optionalText,
  text,
  yesNo,
} from './kinds.ts'
import { listenerSettings, securitySettings } from './security-schema.ts'

/** The texts of settings that are already known, by key: what a derived default may look at. */
export type TextOf = (key: string) => string

export interface Setting<Value> {
  readonly kind: Kind<Value>
  /** As one would write it. */
  readonly default: string
  /** In place of `default`, where it follows from settings above this one; `default` then says how. */
  readonly derive?: (textOf: TextOf) => string
  readonly doc: string
  /** Never printed. */
  readonly secret?: true
  /** Environment names beside `CHRONIK_…`; all that are set must agree. */
  readonly environment?: readonly string[]
  /** Environment names of other programs, looked at only when nothing else says anything. */
  readonly environmentLast?: readonly string[]
  /** A shorter flag beside the key's own. */
  readonly shortFlag?: string
}

const KiB = 1024
const MiB = KiB ** 2
const GiB = KiB ** 3
const TiB = KiB ** 4
const second = 1000
const hour = 3_600_000
const day = 86_400_000
const int32Max = 2 ** 31 - 1
/** Beyond any sensible duration, and a safe integer: some 10,000 years. */
const forever = 3_650_000 * day

export const schema = {
  'node.id': { kind: count(0, int32Max), default: '1', doc: 'The number under which clients know this node (broker id).' },
  'node.data-dir': {
    kind: folder,
    default: './data',
    shortFlag: '--data-dir',
    doc: 'Everything this node keeps on disk is under it; losing it costs a restart, not data.',
  },
  'node.rack': { kind: text, default: '', doc: 'The rack or zone that clients and placement are told.' },

  'cluster.takeover': {
    kind: yesNo,
    default: 'false',
    shortFlag: '--takeover',
    doc: 'Take the bucket over although the life that owns it still breathes; that life is fenced and stops.',
  },
  'cluster.accept-wal-loss': {
    kind: yesNo,
    default: 'false',
    shortFlag: '--accept-wal-loss',
    doc: 'Start although the local WAL is damaged, with what is in the bucket; acknowledged writes of the last moments may be lost.',
  },

  ...listenerSettings,
  'kafka.request-bytes-max': { kind: bytes(KiB, GiB), default: '100MiB', doc: 'A larger request closes its connection.' },
  'kafka.connections-max': { kind: count(1, 1_000_000), default: '5000', doc: 'Further connections are closed at once.' },
  'kafka.connections-idle-ms': {
    kind: milliseconds(second, forever),
    default: '10m',
    doc: 'A connection without a request for so long is closed.',
  },
  'kafka.auto-create-topics': {
    kind: yesNo,
    default: 'true',
    doc: 'Create a topic when a client asks for its metadata and allows it.',
  },
  'kafka.num-partitions': { kind: count(1, 100_000), default: '1', doc: 'Partitions of a topic whose creator names no number.' },
  'kafka.response-queue-bytes-max': {
    kind: bytes(64 * KiB, 4 * GiB),
    default: '64MiB',
    doc: 'Answers waiting on one connection; beyond it nothing more is read from that connection.',
  },
  'kafka.records-threads': {
    kind: count(1, 256),
    default: '2',
    doc: 'The most threads that open compressed batches where a topic asks for it (`compression.type`, bounds of time, keys).',
  },

  ...securitySettings,

  'quota.window-num': {
    kind: count(1, 1000),
    default: '11',
    doc: 'The rates of clients are measured over so many windows, as far as quotas are set.',
  },
  'quota.window-size-ms': { kind: milliseconds(second, hour), default: '1s', doc: 'One of these windows.' },
  'quota.controller-window-num': {
    kind: count(1, 1000),
    default: '11',
    doc: 'A client that has changed no topics may change as many partitions at once as in so many windows.',
  },
  'quota.controller-window-size-ms': { kind: milliseconds(second, hour), default: '1s', doc: 'One of these windows.' },

  'http.listen': { kind: address, default: '127.0.0.1:9464', doc: 'Where `/metrics` and `/health` are served.' },

  'object-store.backend': {
    kind: choice(['s3', 'local', 'memory'], ['gcs', 'azure']),
    default: 'local',
    environment: ['OBJECT_STORE_BACKEND'],
    doc: 'Where the bucket is. `s3` is any S3-compatible store, `local` a folder, `memory` forgets everything at exit.',
  },
  'object-store.local-dir': {
    kind: folder,
    default: '<node.data-dir>/bucket',
    derive: (textOf) => `${textOf('node.data-dir')}/bucket`,
    environment: ['LOCAL_STORE_DIR'],
    doc: 'The folder that is the bucket, with backend `local`.',
  },

  's3.bucket': { kind: optionalText, default: '', environment: ['S3_BUCKET'], doc: 'Required with backend `s3`.' },
  's3.endpoint': {
    kind: optionalEndpoint,
    default: '',
    environment: ['S3_ENDPOINT'],
    doc: 'A store other than AWS, for instance `http://127.0.0.1:9000`.',
  },
  's3.region': {
    kind: text,
    default: 'us-east-1',
    environment: ['S3_REGION'],
    environmentLast: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    doc: 'The region requests are signed for.',
  },
  's3.path-style': {
    kind: yesNo,
    default: 'true when s3.endpoint is set',
    derive: (textOf) => String(textOf('s3.endpoint') !== ''),
    environment: ['S3_PATH_STYLE'],
    doc: "Name the bucket in the URL's path, not in its host.",
  },
  's3.access-key': {
    kind: optionalText,
    default: '',
    secret: true,
    environment: ['S3_ACCESS_KEY'],
    doc: "Empty means the AWS SDK's ordinary credential chain.",
  },
  's3.secret-key': {
    kind: optionalText,
    default: '',
    secret: true,
    environment: ['S3_SECRET_KEY'],
    doc: 'Goes with s3.access-key.',
  },
  's3.prefix': {
    kind: text,
    default: '',
    environment: ['S3_PREFIX'],
    doc: 'Put before every key, so that several clusters share a bucket.',
  },
  's3.requests-in-flight-max': {
    kind: count(1, 10_000),
    default: '64',
    doc: 'Requests to the store at one time; further ones wait.',
  },
  's3.timeout-ms': {
    kind: milliseconds(100, hour),
    default: '30s',
    doc: 'A request without an answer for so long is given up and retried.',
  },

  'wal.dir': {
    kind: folder,
    default: '<node.data-dir>/wal',
    derive: (textOf) => `${textOf('node.data-dir')}/wal`,
    doc: 'The hot WAL. Put it on the disk with the fastest fsync.',
  },
  'wal.file-bytes': { kind: bytes(MiB, GiB), default: '64MiB', doc: 'The size of one preallocated WAL file.' },
  'wal.budget-bytes': {
    kind: bytes(4 * MiB, 64 * TiB),
    default: '2GiB',
    doc: 'The most the WAL may use; when the bucket is down so long that it is used up, producers get a retriable error.',
  },
  'wal.retain-bytes': {
    kind: bytes(0, 64 * TiB),
    default: '256MiB',
    doc: 'What is already in the bucket stays on disk up to this size, for readers.',
  },
  'wal.fsync': {
    kind: choice(['always', 'unsafe-never']),
    default: 'always',
    doc: '`unsafe-never` acknowledges before the disk has it: a power cut loses acknowledged writes.',
  },

  'stream.interval-ms': {
    kind: milliseconds(10, hour),
    default: '1s',
    doc: 'The bucket is at most this far behind: the recovery point of `quorum` topics.',
  },
  'stream.bucket-interval-ms': {
    kind: milliseconds(1, hour),
    default: '100ms',
    doc: 'The same while a topic with `bucket` durability waits: the most such an acknowledgement waits before its upload begins.',
  },
  'stream.object-bytes': {
    kind: bytes(64 * KiB, 512 * MiB),
    default: '8MiB',
    doc: 'A WAL object is written when so much has gathered.',
  },
  'stream.uploads-in-flight-max': { kind: count(1, 64), default: '4', doc: 'WAL objects uploaded at one time.' },
  'stream.heartbeat-ms': {
    kind: milliseconds(100, hour),
    default: '3s',
    doc: 'How often the bucket is told that this life breathes; it counts as dead after three intervals.',
  },

  'segment.bytes-max': {
    kind: bytes(MiB, 5 * GiB),
    default: '128MiB',
    doc: 'The most records one archived segment holds, in bytes.',
  },
  'segment.age-ms-max': {
    kind: milliseconds(second, forever),
    default: '10m',
    doc: 'A segment is archived at this age, however small.',
  },
  'segment.cache-bytes': { kind: bytes(MiB, TiB), default: '64MiB', doc: 'Memory for blocks of archived segments.' },
  'segment.upload-part-bytes': {
    kind: bytes(5 * MiB, GiB),
    default: '8MiB',
    doc: 'The size of one part of a multipart upload.',
  },

  'snapshot.interval-ms': {
    kind: milliseconds(second, forever),
    default: '60s',
    doc: 'How often state is saved to the bucket when it changed.',
  },
  'snapshot.keep': { kind: count(1, 1000), default: '3', doc: 'Older snapshots are deleted.' },

  'cache.hot-bytes': {
    kind: bytes(MiB, TiB),
    default: '64MiB',
    doc: 'Memory for the newest records, which most consumers read.',
  },

  'retention.check-interval-ms': {
    kind: milliseconds(100, day),
    default: '60s',
    doc: 'How often retention looks for expired segments.',
  },
  'cleaner.enabled': {
    kind: yesNo,
    default: 'true',
    doc: 'Compact topics with cleanup.policy=compact.',
  },
  'cleaner.backoff-ms': {
    kind: milliseconds(10, day),
    default: '15s',
    doc: 'How long compaction waits when no topic needs it.',
  },
  'cleaner.dedupe-buffer-bytes': {
    kind: bytes(64 * KiB, 64 * GiB),
    default: '128MiB',
    doc: 'Memory for the keys of one pass, 24 bytes each; what does not fit is left for the next. Only what a pass needs is taken.',
  },
  'cleaner.io-bytes-per-second-max': {
    kind: bytes(0, TiB),
    default: '0',
    doc: 'What compaction reads and writes together, at most; 0 sets no limit.',
  },
  'delete.grace-ms': {
    kind: milliseconds(0, 365 * day),
    default: '60s',
    doc: 'An object that the log has forgotten stays so much longer, for readers that still hold its name.',
  },

  'groups.offsets-partitions': {
    kind: count(1, 10_000),
    default: '50',
    doc: 'Partitions of `__consumer_offsets`; fixed once the topic exists.',
  },
  'groups.session-timeout-min-ms': {
    kind: milliseconds(1, day),
    default: '6s',
    doc: 'The shortest session time-out a member may ask for.',
  },
  'groups.session-timeout-max-ms': { kind: milliseconds(1, day), default: '30m', doc: 'The longest.' },
  'groups.initial-rebalance-delay-ms': {
    kind: milliseconds(0, hour),
    default: '3s',
    doc: 'How long an empty group waits for more members.',
  },
  'groups.max-size': { kind: count(1, int32Max), default: String(int32Max), doc: 'The most members of one group.' },
  'groups.consumer-session-timeout-ms': {
    kind: milliseconds(1, day),
    default: '45s',
    doc: 'How long a member of the consumer protocol (KIP-848) may be silent.',
  },
  'groups.consumer-heartbeat-interval-ms': {
    kind: milliseconds(1, day),
    default: '5s',
    doc: 'How often members of the consumer protocol are told to send heartbeats.',
  },
  'groups.consumer-session-timeout-min-ms': {
    kind: milliseconds(1, day),
    default: '45s',
    doc: 'The shortest that may be set on a group (`consumer.session.timeout.ms`).',
  },
  'groups.consumer-session-timeout-max-ms': { kind: milliseconds(1, day), default: '60s', doc: 'The longest.' },
  'groups.consumer-heartbeat-interval-min-ms': {
    kind: milliseconds(1, day),
    default: '5s',
    doc: 'The shortest that may be set on a group (`consumer.heartbeat.interval.ms`).',
  },
  'groups.consumer-heartbeat-interval-max-ms': { kind: milliseconds(1, day), default: '15s', doc: 'The longest.' },
  'groups.consumer-max-size': {
    kind: count(1, int32Max),
    default: String(int32Max),
    doc: 'The most members of one group of the consumer protocol.',
  },
  'groups.consumer-assignors': {
    kind: choices(['uniform', 'range']),
    default: 'uniform,range',
    doc: 'Assignors that members of the consumer protocol may ask for; the first where none does.',
  },
  'groups.consumer-migration-policy': {
    kind: choice(['disabled', 'upgrade', 'downgrade', 'bidirectional']),
    default: 'bidirectional',
    doc: 'Which groups with members may go from the classic to the consumer protocol (`upgrade`) and back (`downgrade`).',
  },
  'transactions.state-partitions': {
    kind: count(1, 10_000),
    default: '50',
    doc: 'Partitions of `__transaction_state`; fixed once the topic exists.',
  },
  'transactions.timeout-max-ms': {
    kind: milliseconds(1, int32Max),
    default: '15m',
    doc: 'The longest time-out that a transactional producer may ask for.',
  },
  'transactions.id-expiration-ms': {
    kind: milliseconds(1, forever),
    default: '7d',
    doc: 'A transactional id that nobody used for so long is forgotten.',
  },
  'transactions.abort-check-ms': {
    kind: milliseconds(10, hour),
    default: '10s',
    doc: 'How often transactions beyond their time-out are looked for and aborted.',
  },
  'offsets.retention-ms': {
    kind: milliseconds(second, forever),
    default: '7d',
    doc: 'Committed offsets of a group without members are kept so long.',
  },

  'log.level': {
    kind: choice(['debug', 'info', 'warn', 'error']),
    default: 'info',
    doc: 'The least important lines that are written.',
  },
  'log.format': {
    kind: choice(['auto', 'text', 'json']),
    default: 'auto',
    doc: '`auto` is text where a person watches (a terminal), JSON otherwise.',
  },
} as const satisfies Readonly<Record<`${string}.${string}`, Setting<unknown>>>

export type SettingKey = keyof typeof schema

/** TLS of single listeners: `listener-tls.<listener>.<name of a setting of tls>`. */
export const listenerTlsKey = 'listener-tls'

/** Defaults of topics, as Kafka names them: the one setting whose keys are not ours. The broker validates them. */
export const topicDefaultsKey = 'topic-defaults'

type CamelCase<Text extends string> = Text extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : Text
type SectionOf<Key extends string> = Key extends `${infer Section}.${string}` ? Section : never
type ValueOf<Key extends SettingKey> = (typeof schema)[Key]['kind'] extends Kind<infer Value> ? Value : never

/** All settings, validated: `wal.file-bytes` is `settings.wal.fileBytes`. */
export type Settings = {
  readonly [Section in SectionOf<SettingKey> as CamelCase<Section>]: {
    readonly [Key in SettingKey as Key extends `${Section}.${infer Name}` ? CamelCase<Name> : never]: ValueOf<Key>
  }
} & {
  /** By Kafka's names (`retention.ms`), not validated yet. */
  readonly topicDefaults: Readonly<Record<string, string>>
  /** By the name of the listener: what it has of its own, over `tls`. */
  readonly listenerTls: Readonly<Record<string, Partial<TlsSettings>>>
}

export type TlsSettings = {
  readonly [Key in SettingKey as Key extends `tls.${infer Name}` ? CamelCase<Name> : never]: ValueOf<Key>
}

export const settingKeys = Object.keys(schema) as readonly SettingKey[]

/** The table's row with its value's type forgotten: what loops over all settings see. */
export function settingOf(key: SettingKey): Setting<unknown> {
  return schema[key]
}

export function flagsOf(key: SettingKey): readonly string[] {
  const { shortFlag } = settingOf(key)
  return [`--${key.replaceAll('.', '-')}`, ...(shortFlag === undefined ? [] : [shortFlag])]
}

export function environmentOf(key: SettingKey): readonly string[] {
  return [`CHRONIK_${key.toUpperCase().replaceAll(/[.-]/g, '_')}`, ...(settingOf(key).environment ?? [])]
}

export function camelCase(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
