// Owns the metadata machine: which topics exist, their partitions and configs, the configs of brokers, groups and client metrics,
// SCRAM users, ACLs, client quotas, and which producer ids were given out. Commands go through the metadata group's log; only `apply`
// changes the state, live and at recovery. Not the partitions' own logs.
//
// A command is one JSON object, {"v":1,"kind":…}; a snapshot is {"v":1,"topics":[…],…}, with "scram":[…], "acls":[…], "quotas":[…] and
// "configs":[…] once there are some.

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { groupNumber, type GroupNumber, type TopicId, topicId } from '../../model/ids.ts'
import { type AclRecord, Acls, areAcls } from './acls.ts'
import { areQuotaChanges, ClientQuotas, type QuotaChange, type QuotasForm } from './client-quotas.ts'
import { isResourceConfigs, ResourceConfigs, type ResourceConfigsForm } from './resource-configs.ts'
import { areScramChanges, type ScramChange, ScramCredentials, type ScramForm } from './scram-credentials.ts'

export interface TopicRecord {
  readonly name: string
  readonly id: TopicId
  readonly internal: boolean
  /** The group of each partition, by index. */
  readonly groups: readonly GroupNumber[]
  readonly configs: ReadonlyMap<string, string>
}

export type ClusterCommand =
  | {
      readonly kind: 'create-topic'
      readonly name: string
      readonly id: string
      readonly internal: boolean
      readonly partitionCount: number
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly kind: 'delete-topic'; readonly id: string }
  | { readonly kind: 'create-partitions'; readonly id: string; readonly partitionCount: number }
  /** `configs` are all that the topic has from now on. */
  | { readonly kind: 'alter-topic-configs'; readonly id: string; readonly configs: Readonly<Record<string, string>> }
  | { readonly kind: 'allocate-producer-ids'; readonly count: number }
  | { readonly kind: 'alter-scram-credentials'; readonly changes: readonly ScramChange[] }
  | { readonly kind: 'alter-acls'; readonly additions: readonly AclRecord[]; readonly removals: readonly AclRecord[] }
  | { readonly kind: 'alter-client-quotas'; readonly changes: readonly QuotaChange[] }
  | ({ readonly kind: 'alter-resource-configs' } & ResourceConfigsForm)

/** What a command changed. */
export type ClusterChange =
  | { readonly kind: 'topic-created'; readonly topic: TopicRecord }
  | { readonly kind: 'topic-deleted'; readonly topic: TopicRecord }
  | { readonly kind: 'partitions-created'; readonly topic: TopicRecord; readonly from: number }
  | { readonly kind: 'topic-configs-altered'; readonly topic: TopicRecord }
  | { readonly kind: 'producer-ids-allocated'; readonly first: number; readonly count: number }
  | { readonly kind: 'scram-credentials-altered' }
  | { readonly kind: 'acls-altered' }
  | { readonly kind: 'client-quotas-altered' }
  | { readonly kind: 'resource-configs-altered'; readonly resource: ResourceConfigsForm }

export type ClusterRefusal = 'topic-exists' | 'unknown-topic' | 'fewer-partitions'

const version = 1
declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string }

export function encodeCommand(command: ClusterCommand): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ v: version, ...command }))
}

/** Metadata entries were written by this code and are checksummed; anything else is damage, named. */
export function decodeCommand(bytes: Uint8Array): Outcome<ClusterCommand, string> {
  const parsed = parseJson(bytes)
  if (parsed === undefined || parsed['v'] !== version || !isCommand(parsed))
    return fail('a metadata entry is not a command this build knows')
  return succeed(parsed as unknown as ClusterCommand)
}

function isCommand(form: Record<string, unknown>): boolean {
  const { kind, name, id, configs, partitionCount, count } = form
  switch (kind) {
    case 'create-topic':
      return typeof name === 'string' && typeof id === 'string' && isObject(configs) && isCount(partitionCount)
    case 'create-partitions':
      return typeof id === 'string' && isCount(partitionCount)
    case 'alter-topic-configs':
      return typeof id === 'string' && isObject(configs)
    case 'delete-topic':
      return typeof id === 'string'
    case 'allocate-producer-ids':
      return isCount(count)
    case 'alter-scram-credentials':
      return areScramChanges(form['changes'])
    case 'alter-acls':
      return areAcls(form['additions']) && areAcls(form['removals'])
    case 'alter-client-quotas':
      return areQuotaChanges(form['changes'])
    case 'alter-resource-configs':
      return isResourceConfigs(form)
    default:
      return false
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

/** A length no real command reaches, so that a bent one cannot make a state of any size. */
const countMax = 2 ** 20

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= countMax
}

function parseJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not JSON: the caller names the damage.
    return undefined
  }
}

interface SnapshotForm {
  readonly v: number
  readonly nextGroup: number
  readonly nextProducerId: number
  readonly topics: ReadonlyArray<{
    readonly name: string
    readonly id: string
    readonly internal: boolean
    readonly groups: readonly number[]
    readonly configs: Readonly<Record<string, string>>
  }>
  readonly scram?: ScramForm
  readonly acls?: readonly AclRecord[]
  readonly quotas?: QuotasForm
  readonly configs?: readonly ResourceConfigsForm[]
}

function isWhole(form: Partial<SnapshotForm>): boolean {
  if (!Number.isSafeInteger(form.nextGroup) || !Number.isSafeInteger(form.nextProducerId) || !Array.isArray(form.topics))
    return false
  if (form.scram !== undefined && !areScramChanges(form.scram)) return false
  if (form.acls !== undefined && !areAcls(form.acls)) return false
  if (form.quotas !== undefined && !areQuotaChanges(form.quotas)) return false
  if (form.configs !== undefined && !(Array.isArray(form.configs) && form.configs.every(isResourceConfigs))) return false
  return (form.topics as ReadonlyArray<Partial<SnapshotForm['topics'][number]> | null>).every(
    (topic) =>
      typeof topic?.name === 'string' && typeof topic.id === 'string' && Array.isArray(topic.groups) && isObject(topic.configs),
  )
}

export class ClusterState {
  readonly #byName = new Map<string, TopicRecord>()
  readonly #byId = new Map<TopicId, TopicRecord>()
  /** Changed by `apply` and `restore` only. */
  readonly scram = new ScramCredentials()
  readonly acls = new Acls()
  readonly quotas = new ClientQuotas()
  readonly configs = new ResourceConfigs()
  #nextGroup = 1
  #nextProducerId = 0

  topic(name: string): TopicRecord | undefined {
    return this.#byName.get(name)
  }

  topicById(id: TopicId): TopicRecord | undefined {
    return this.#byId.get(id)
  }

  topics(): Iterable<TopicRecord> {
    return this.#byName.values()
  }

  get topicCount(): number {
    return this.#byName.size
  }

  /** Whether the command would be applied, before it is proposed. */
  canApply(command: ClusterCommand): ClusterRefusal | undefined {
    switch (command.kind) {
      case 'create-topic':
        return this.#byName.has(command.name) ? 'topic-exists' : undefined
      case 'delete-topic':
      case 'alter-topic-configs':
        return this.#byId.has(topicId(command.id)) ? undefined : 'unknown-topic'
      case 'create-partitions': {
        const topic = this.#byId.get(topicId(command.id))
        if (topic === undefined) return 'unknown-topic'
        return command.partitionCount > topic.groups.length ? undefined : 'fewer-partitions'
      }
      case 'allocate-producer-ids':
      case 'alter-scram-credentials':
      case 'alter-acls':
      case 'alter-client-quotas':
      case 'alter-resource-configs':
        return undefined
    }
  }

  /** The only mutation. A command that no longer fits (an earlier one in the log took its place) is refused, the same everywhere. */
  apply(command: ClusterCommand): Outcome<ClusterChange, ClusterRefusal> {
    const refusal = this.canApply(command)
    if (refusal !== undefined) return fail(refusal)
    switch (command.kind) {
      case 'create-topic': {
        const topic = {
          name: command.name,
          id: topicId(command.id),
          internal: command.internal,
          groups: this.#newGroups(command.partitionCount),
          configs: new Map(Object.entries(command.configs)),
        }
        this.#put(topic)
        return succeed({ kind: 'topic-created', topic })
      }
      case 'delete-topic': {
        const topic = this.#byId.get(topicId(command.id)) as TopicRecord
        this.#byId.delete(topic.id)
        this.#byName.delete(topic.name)
        return succeed({ kind: 'topic-deleted', topic })
      }
      case 'create-partitions': {
        const before = this.#byId.get(topicId(command.id)) as TopicRecord
        const from = before.groups.length
        const topic = { ...before, groups: [...before.groups, ...this.#newGroups(command.partitionCount - from)] }
        this.#put(topic)
        return succeed({ kind: 'partitions-created', topic, from })
      }
      case 'alter-topic-configs': {
        const before = this.#byId.get(topicId(command.id)) as TopicRecord
        const topic = { ...before, configs: new Map(Object.entries(command.configs)) }
        this.#put(topic)
        return succeed({ kind: 'topic-configs-altered', topic })
      }
      case 'allocate-producer-ids': {
        const first = this.#nextProducerId
        this.#nextProducerId += command.count
        return succeed({ kind: 'producer-ids-allocated', first, count: command.count })
      }
      case 'alter-scram-credentials':
        this.scram.apply(command.changes)
        return succeed({ kind: 'scram-credentials-altered' })
      case 'alter-acls':
        this.acls.apply(command.additions, command.removals)
        return succeed({ kind: 'acls-altered' })
      case 'alter-client-quotas':
        this.quotas.apply(command.changes)
        return succeed({ kind: 'client-quotas-altered' })
      case 'alter-resource-configs':
        this.configs.apply(command)
        return succeed({ kind: 'resource-configs-altered', resource: command })
    }
  }

  #newGroups(count: number): readonly GroupNumber[] {
    const first = this.#nextGroup
    this.#nextGroup += count
    return Array.from({ length: count }, (_, at) => groupNumber(first + at))
  }

  #put(topic: TopicRecord): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
  }

  snapshot(): Uint8Array {
    const scram = this.scram.form()
    const acls = [...this.acls.all()]
    const quotas = this.quotas.form()
    const configs = this.configs.form()
    const form: SnapshotForm = {
      v: version,
      nextGroup: this.#nextGroup,
      nextProducerId: this.#nextProducerId,
      topics: [...this.#byName.values()].map((topic) => ({ ...topic, configs: Object.fromEntries(topic.configs) })),
      ...(scram.length === 0 ? {} : { scram }),
      ...(acls.length === 0 ? {} : { acls }),
      ...(quotas.length === 0 ? {} : { quotas }),
      ...(configs.length === 0 ? {} : { configs }),
    }
    return new TextEncoder().encode(JSON.stringify(form))
  }

  /** Replaces the state; false when the bytes are not a snapshot this build knows. */
  restore(bytes: Uint8Array): boolean {
    const form = parseJson(bytes) as unknown as SnapshotForm | undefined
    if (form === undefined || form.v !== version || !isWhole(form)) return false
    this.#byName.clear()
    this.#byId.clear()
    this.#nextGroup = form.nextGroup
    this.#nextProducerId = form.nextProducerId
    this.scram.restore(form.scram ?? [])
    this.acls.restore(form.acls ?? [])
    this.quotas.restore(form.quotas ?? [])
    this.configs.restore(form.configs ?? [])
    for (const topic of form.topics) {
      this.#put({
        name: topic.name,
        id: topicId(topic.id),
        internal: topic.internal,
        groups: topic.groups.map(groupNumber),
        configs: new Map(Object.entries(topic.configs)),
      })
    }
    return true
  }
}
