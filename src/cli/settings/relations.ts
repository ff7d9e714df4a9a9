// Owns what must hold between settings. Each rule names the settings it is about and says what to do; ranges of single settings are
// in schema.ts.

import { showAddress } from './kinds.ts'
import type { Relation } from './relation.ts'
import { isWildcard, securityRelations } from './security-relations.ts'

export const relations: readonly Relation[] = [
  {
    about: ['s3.bucket', 'object-store.backend'],
    breach: ({ objectStore, s3 }) =>
      objectStore.backend === 's3' && s3.bucket === undefined ? 'backend s3 needs a bucket; set S3_BUCKET' : undefined,
  },
  {
    about: ['s3.access-key', 's3.secret-key'],
    breach: ({ s3 }) =>
      (s3.accessKey === undefined) === (s3.secretKey === undefined)
        ? undefined
        : 'one is set without the other; set both, or neither',
  },
  {
    about: ['kafka.advertised', 'kafka.listen'],
    breach: ({ kafka }) => {
      if (kafka.listeners.length > 0) return undefined
      if (kafka.advertised === undefined) {
        return isWildcard(kafka.listen.host)
          ? `clients cannot connect to ${kafka.listen.host}; set kafka.advertised to the name or address they reach this node by`
          : undefined
      }
      return isWildcard(kafka.advertised.host) || kafka.advertised.port === 0
        ? `clients cannot connect to ${showAddress(kafka.advertised)}; name a host and a port`
        : undefined
    },
  },
  {
    about: ['http.listen', 'kafka.listen'],
    breach: ({ http, kafka }) =>
      kafka.listeners.length === 0 && http.listen.port !== 0 && showAddress(http.listen) === showAddress(kafka.listen)
        ? 'both listen on the same port'
        : undefined,
  },
  ...securityRelations,
  {
    // One file is being written, one is prepared, one is on its way to the bucket, one is released: fewer would stall.
    about: ['wal.budget-bytes', 'wal.file-bytes'],
    breach: ({ wal }) =>
      wal.budgetBytes < 4 * wal.fileBytes ? `the budget must hold four files: at least ${4 * wal.fileBytes}` : undefined,
  },
  {
    about: ['wal.retain-bytes', 'wal.budget-bytes'],
    breach: ({ wal }) =>
      wal.retainBytes > wal.budgetBytes / 2
        ? `more than half of the budget would be kept for readers; at most ${Math.floor(wal.budgetBytes / 2)}`
        : undefined,
  },
  {
    about: ['stream.bucket-interval-ms', 'stream.interval-ms'],
    breach: ({ stream }) =>
      stream.bucketIntervalMs > stream.intervalMs ? 'the interval of `bucket` topics must not be the longer one' : undefined,
  },
  {
    about: ['stream.object-bytes', 'wal.budget-bytes'],
    breach: ({ stream, wal }) =>
      stream.objectBytes * stream.uploadsInFlightMax > wal.budgetBytes
        ? 'all uploads in flight together must fit into the WAL budget'
        : undefined,
  },
  {
    about: ['kafka.request-bytes-max', 'wal.budget-bytes'],
    breach: ({ kafka, wal }) =>
      kafka.requestBytesMax > wal.budgetBytes / 2 ? 'a single request could use up half of the WAL budget' : undefined,
  },
  {
    about: ['segment.upload-part-bytes', 'segment.bytes-max'],
    breach: ({ segment }) =>
      // S3 allows 10,000 parts.
      segment.bytesMax / segment.uploadPartBytes > 10_000 ? 'a segment would have more than 10000 parts' : undefined,
  },
  {
    about: ['groups.session-timeout-min-ms', 'groups.session-timeout-max-ms'],
    breach: ({ groups }) =>
      groups.sessionTimeoutMinMs > groups.sessionTimeoutMaxMs ? 'the shortest session time-out is above the longest' : undefined,
  },
  {
    about: ['groups.consumer-session-timeout-min-ms', 'groups.consumer-session-timeout-max-ms'],
    breach: ({ groups }) =>
      groups.consumerSessionTimeoutMinMs > groups.consumerSessionTimeoutMaxMs
        ? 'the shortest session time-out of a group is above the longest'
        : undefined,
  },
  {
    about: ['groups.consumer-heartbeat-interval-min-ms', 'groups.consumer-heartbeat-interval-max-ms'],
    breach: ({ groups }) =>
      groups.consumerHeartbeatIntervalMinMs > groups.consumerHeartbeatIntervalMaxMs
        ? 'the shortest heartbeat interval of a group is above the longest'
        : undefined,
  },
  {
    about: ['groups.consumer-heartbeat-interval-ms', 'groups.consumer-session-timeout-ms'],
    breach: ({ groups }) =>
      groups.consumerHeartbeatIntervalMs >= groups.consumerSessionTimeoutMs
        ? 'a member would be given up before its next heartbeat is due'
        : undefined,
  },
]
