// Owns the table of docs/kafka-compatibility.md: each API of Kafka 4's broker listener beside what is served here, and why they differ.
// The ranges come from the code; the reasons stand here, and a test asserts that each difference has one.

import { type ApiEntry, apiEntries } from '../protocol/index.ts'
import type { ServedApi } from './front/served-api.ts'

const reasons: ReadonlyArray<readonly [because: string, names: readonly string[]]> = [
  ['as Kafka without a receiver for telemetry', ['GetTelemetrySubscriptions', 'PushTelemetry']],
  ['no delegation tokens', ['CreateDelegationToken', 'RenewDelegationToken', 'ExpireDelegationToken', 'DescribeDelegationToken']], // prettier-ignore
  [
    'no share groups',
    [
      'ShareGroupHeartbeat',
      'ShareGroupDescribe',
      'ShareFetch',
      'ShareAcknowledge',
      'InitializeShareGroupState',
      'ReadShareGroupState',
      'WriteShareGroupState',
      'DeleteShareGroupState',
      'ReadShareGroupStateSummary',
      'DescribeShareGroupOffsets',
      'AlterShareGroupOffsets',
      'DeleteShareGroupOffsets',
    ],
  ],
  ['no streams groups', ['StreamsGroupHeartbeat', 'StreamsGroupDescribe', 'StreamsGroupTopologyDescriptionUpdate']],
  [
    'KRaft’s own administration; this cluster has no controllers',
    ['DescribeQuorum', 'UpdateFeatures', 'UnregisterBroker', 'AddRaftVoter', 'RemoveRaftVoter', 'UnregisterController'],
  ],
]

const reasonOf: ReadonlyMap<string, string> = new Map(reasons.flatMap(([because, names]) => names.map((name) => [name, because])))

/** The APIs for which a reason stands here. */
export const differencesSaid = (): Iterable<string> => reasonOf.keys()

export interface ApiCompatibility {
  readonly entry: ApiEntry
  readonly served: ServedApi | undefined
  /** Why this is not what Kafka advertises; undefined when it is, or when nobody has said why. */
  readonly reason: string | undefined
  readonly differs: boolean
}

/** Every API of Kafka 4's broker listener, by key. */
export function compatibilityOf(served: Iterable<ServedApi>): ApiCompatibility[] {
  const byKey = new Map([...served].map((api) => [api.entry.key, api]))
  return apiEntries
    .filter(({ onBroker }) => onBroker)
    .map((entry) => {
      const api = byKey.get(entry.key)
      const differs = api?.versionMax !== entry.advertisedMax
      return { entry, served: api, differs, reason: differs ? reasonOf.get(entry.name) : undefined }
    })
}

const rangeOf = (min: number, max: number): string => (min === max ? String(min) : `${min} – ${max}`)

export function compatibilityMarkdown(served: Iterable<ServedApi>): string {
  const rows = compatibilityOf(served).map(({ entry, served: api, reason }) => {
    const ours = api === undefined ? '–' : rangeOf(entry.advertisedMin, api.versionMax)
    return `| ${entry.key} | ${entry.name} | ${ours} | ${rangeOf(entry.advertisedMin, entry.advertisedMax)} | ${reason ?? ''} |`
  })
  return ['| key | API | here | Kafka 4 | why not the same |', '|---:|---|---|---|---|', ...rows, ''].join('\n')
}
