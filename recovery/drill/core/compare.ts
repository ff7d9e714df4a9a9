// Owns the judgement of two fingerprints: every difference, named. Not what a difference means for anyone; to a drill each is a failure.
//
// DRILL-1  two fingerprints without a difference are equal in every field: what is not compared does not belong in a fingerprint.

import type { BatchPrint, Fingerprint, GroupPrint, PartitionPrint, TopicPrint } from './fingerprint.ts'

export type DifferenceKind =
  | 'cluster-id'
  | 'topic-missing'
  | 'topic-extra'
  | 'topic-id'
  | 'topic-internal'
  | 'config'
  | 'partition-missing'
  | 'partition-extra'
  | 'start-offset'
  | 'end-offset'
  | 'batches-missing'
  | 'batches-extra'
  | 'batch-bytes'
  | 'offset-by-time'
  | 'group-missing'
  | 'group-extra'
  | 'group-state'
  | 'group-protocol'
  | 'group-member'
  | 'committed-offset'
  | 'records-as-sent'
  | 'acknowledged-lost'
  | 'acknowledged-altered'
  | 'check'

export interface Difference {
  readonly kind: DifferenceKind
  readonly where: string
  readonly before: string
  readonly after: string
}

export function compareFingerprints(before: Fingerprint, after: Fingerprint): readonly Difference[] {
  const found: Difference[] = []
  if (before.clusterId !== after.clusterId) {
    found.push({ kind: 'cluster-id', where: 'cluster', before: before.clusterId, after: after.clusterId })
  }
  const topics = pairs(before.topics, after.topics, ({ name }) => name)
  for (const [name, left, right] of topics) {
    if (left === undefined) found.push({ kind: 'topic-extra', where: name, before: absent, after: 'there' })
    else if (right === undefined) found.push({ kind: 'topic-missing', where: name, before: 'there', after: absent })
    else compareTopics(left, right, found)
  }
  const groups = pairs(before.groups, after.groups, ({ id }) => id)
  for (const [id, left, right] of groups) {
    if (left === undefined) found.push({ kind: 'group-extra', where: `group ${id}`, before: absent, after: 'there' })
    else if (right === undefined) found.push({ kind: 'group-missing', where: `group ${id}`, before: 'there', after: absent })
    else compareGroups(left, right, found)
  }
  return found
}

const absent = 'absent'

/** Both sides under their key, in the order of the keys. */
function pairs<One>(
  before: readonly One[],
  after: readonly One[],
  keyOf: (one: One) => string,
): ReadonlyArray<readonly [string, One | undefined, One | undefined]> {
  const left = new Map(before.map((one) => [keyOf(one), one]))
  const right = new Map(after.map((one) => [keyOf(one), one]))
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort()
  return keys.map((key) => [key, left.get(key), right.get(key)])
}

function compareTopics(before: TopicPrint, after: TopicPrint, found: Difference[]): void {
  const where = before.name
  if (before.id !== after.id) found.push({ kind: 'topic-id', where, before: before.id, after: after.id })
  if (before.isInternal !== after.isInternal) {
    found.push({ kind: 'topic-internal', where, before: String(before.isInternal), after: String(after.isInternal) })
  }
  const shown = (one: TopicPrint['configs'][number] | undefined): string =>
    one === undefined ? absent : `${String(one.value)} (source ${one.source})`
  for (const [name, left, right] of pairs(before.configs, after.configs, (one) => one.name)) {
    if (left?.value === right?.value && left?.source === right?.source) continue
    found.push({ kind: 'config', where: `${where} ${name}`, before: shown(left), after: shown(right) })
  }
  const number = ({ partition }: PartitionPrint): string => String(partition).padStart(10, '0')
  for (const [, left, right] of pairs(before.partitions, after.partitions, number)) {
    if (left !== undefined && right !== undefined) comparePartitions(`${where}-${left.partition}`, left, right, found)
    else if (left !== undefined) {
      found.push({ kind: 'partition-missing', where: `${where}-${left.partition}`, before: range(left), after: absent })
    } else if (right !== undefined) {
      found.push({ kind: 'partition-extra', where: `${where}-${right.partition}`, before: absent, after: range(right) })
    }
  }
}

const range = ({ startOffset, endOffset }: PartitionPrint): string => `offsets ${startOffset} to ${endOffset}`

function comparePartitions(where: string, before: PartitionPrint, after: PartitionPrint, found: Difference[]): void {
  if (before.startOffset !== after.startOffset) {
    found.push({ kind: 'start-offset', where, before: String(before.startOffset), after: String(after.startOffset) })
  }
  if (before.endOffset !== after.endOffset) {
    found.push({ kind: 'end-offset', where, before: String(before.endOffset), after: String(after.endOffset) })
  }
  compareBatches(where, before.batches, after.batches, found)
  const answer = (one: PartitionPrint['times'][number] | undefined): string =>
    one === undefined ? absent : `offset ${one.offset}, time ${one.foundMs}, epoch ${one.leaderEpoch}`
  for (const [asked, left, right] of pairs(before.times, after.times, ({ askedMs }) => String(askedMs))) {
    if (answer(left) === answer(right)) continue
    found.push({ kind: 'offset-by-time', where: `${where} at ${asked}`, before: answer(left), after: answer(right) })
  }
}

/** Walks both lists, which ascend by offset; runs of batches that only one side has become one difference each. */
function compareBatches(where: string, before: readonly BatchPrint[], after: readonly BatchPrint[], found: Difference[]): void {
  let missing: BatchPrint[] = []
  let extra: BatchPrint[] = []
  const tell = (): void => {
    if (missing.length > 0) found.push({ kind: 'batches-missing', where, before: run(missing), after: absent })
    if (extra.length > 0) found.push({ kind: 'batches-extra', where, before: absent, after: run(extra) })
    missing = []
    extra = []
  }
  let at = 0
  let other = 0
  for (;;) {
    const left = before[at]
    const right = after[other]
    if (left === undefined && right === undefined) break
    if (right === undefined || (left !== undefined && left.baseOffset < right.baseOffset)) {
      missing.push(left as BatchPrint)
      at += 1
    } else if (left === undefined || right.baseOffset < left.baseOffset) {
      extra.push(right)
      other += 1
    } else {
      tell()
      const fields = unequalFields(left, right)
      if (fields.length > 0) {
        const show = (one: BatchPrint): string => fields.map((field) => `${field} ${one[field]}`).join(', ')
        found.push({ kind: 'batch-bytes', where: `${where}@${left.baseOffset}`, before: show(left), after: show(right) })
      }
      at += 1
      other += 1
    }
  }
  tell()
}

const run = (batches: readonly BatchPrint[]): string =>
  `${batches.length} batches, offsets ${batches[0]?.baseOffset ?? ''} to ${batches.at(-1)?.lastOffset ?? ''}`

function unequalFields(left: BatchPrint, right: BatchPrint): readonly (keyof BatchPrint)[] {
  const fields = ['lastOffset', 'records', 'sizeBytes', 'baseTimestampMs', 'maxTimestampMs', 'crc', 'sha256'] as const
  return fields.filter((field) => left[field] !== right[field])
}

function compareGroups(before: GroupPrint, after: GroupPrint, found: Difference[]): void {
  const where = `group ${before.id}`
  if (before.state !== after.state) found.push({ kind: 'group-state', where, before: before.state, after: after.state })
  const protocol = ({ protocolType, protocol: name }: GroupPrint): string => `${protocolType}/${name}`
  if (protocol(before) !== protocol(after)) {
    found.push({ kind: 'group-protocol', where, before: protocol(before), after: protocol(after) })
  }
  const member = (one: GroupPrint['members'][number] | undefined): string =>
    one === undefined
      ? absent
      : `instance ${String(one.instanceId)}, client ${one.clientId}, subscription ${one.subscription}, assignment ${one.assignment}`
  for (const [id, left, right] of pairs(before.members, after.members, ({ memberId }) => memberId)) {
    if (member(left) === member(right)) continue
    found.push({ kind: 'group-member', where: `${where}, member ${id}`, before: member(left), after: member(right) })
  }
  const offset = (one: GroupPrint['offsets'][number] | undefined): string =>
    one === undefined ? absent : `offset ${one.offset}, epoch ${one.leaderEpoch}, metadata ${JSON.stringify(one.metadata)}`
  for (const [key, left, right] of pairs(before.offsets, after.offsets, ({ topic, partition }) => `${topic}-${partition}`)) {
    if (offset(left) === offset(right)) continue
    found.push({ kind: 'committed-offset', where: `${where}, ${key}`, before: offset(left), after: offset(right) })
  }
}
