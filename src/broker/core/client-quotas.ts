// Owns the quotas of clients as the metadata machine keeps them (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612), and which of them holds for
// a client or an address. Commands change them through ClusterState. Not what they cost a client (src/server/quotas).
//
// An entity names a user, a client id, or both; or an address. Null is the default: it holds for whoever has no quota of its own. For each
// key, the first of these that has it holds:
//
//   user and client id · user and default client id · user
//   default user and client id · default user and default client id · default user
//   client id · default client id

export const quotaEntityTypes = ['user', 'client-id', 'ip'] as const
export type QuotaEntityType = (typeof quotaEntityTypes)[number]

/** Null is the default of its type; a type that is absent is not part of the entity. */
export type QuotaEntity = Readonly<Partial<Record<QuotaEntityType, string | null>>>

/** Bytes a second, bytes a second, per cent of the event loop's time, partitions a second; and connections a second. */
export const clientQuotaKeys = [
  'producer_byte_rate',
  'consumer_byte_rate',
  'request_percentage',
  'controller_mutation_rate',
] as const
export type ClientQuotaKey = (typeof clientQuotaKeys)[number]
export const connectionRateKey = 'connection_creation_rate'
export type QuotaKey = ClientQuotaKey | typeof connectionRateKey

export interface QuotaChange {
  readonly entity: QuotaEntity
  readonly key: QuotaKey
  /** Null takes the quota away. */
  readonly value: number | null
}

/** In snapshots. */
export type QuotasForm = ReadonlyArray<QuotaChange & { readonly value: number }>

/** The quota that holds for a client, and whom it is shared by: clients of the same user and client id, as far as those are named. */
export interface ClientQuota {
  readonly bound: number
  readonly user: string | undefined
  readonly clientId: string | undefined
}

/** What DescribeClientQuotas asks of one type of entity: this name (null: the default), or any. */
export type QuotaMatch = { readonly kind: 'exact'; readonly name: string | null } | { readonly kind: 'any' }

export interface EntityQuotas {
  readonly entity: QuotaEntity
  readonly values: ReadonlyMap<QuotaKey, number>
}

const allKeys: ReadonlySet<unknown> = new Set([...clientQuotaKeys, connectionRateKey])

function isEntity(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const parts = Object.entries(value)
  const isPart = ([type, name]: [string, unknown]): boolean =>
    quotaEntityTypes.some((known) => known === type) && (name === null || typeof name === 'string')
  return parts.length > 0 && parts.every(isPart)
}

const isQuotaValue = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value > 0

/** Whether this is a list of changes, as a command or a snapshot holds it. */
export function areQuotaChanges(value: unknown): value is readonly QuotaChange[] {
  return (
    Array.isArray(value) &&
    (value as ReadonlyArray<Partial<Record<keyof QuotaChange, unknown>> | null>).every(
      (change) => isEntity(change?.entity) && allKeys.has(change?.key) && (change?.value === null || isQuotaValue(change?.value)),
    )
  )
}

/** The same for entities that name the same. */
export const quotaEntityKey = ({ user, 'client-id': clientId, ip }: QuotaEntity): string =>
  JSON.stringify({ user, 'client-id': clientId, ip })

interface Entry {
  readonly entity: QuotaEntity
  readonly values: Map<QuotaKey, number>
}

export class ClientQuotas {
  readonly #byEntity = new Map<string, Entry>()
  /** How many entities have a quota of this key. */
  readonly #counts = new Map<QuotaKey, number>()
  #version = 0

  /** Changes whenever a quota does. */
  get version(): number {
    return this.#version
  }

  /** Whether any entity has a quota of this key: without one nobody need be asked about. */
  isUsed(key: QuotaKey): boolean {
    return this.#counts.has(key)
  }

  /** The quota that holds for a client; an empty client id is one that is not named. */
  quotaOf(key: ClientQuotaKey, user: string, clientId: string): ClientQuota | undefined {
    const isNamed = clientId !== ''
    for (const name of [user, null]) {
      const both = isNamed
        ? (this.#value(key, { user: name, 'client-id': clientId }) ?? this.#value(key, { user: name, 'client-id': null }))
        : undefined
      if (both !== undefined) return { bound: both, user, clientId }
      const alone = this.#value(key, { user: name })
      if (alone !== undefined) return { bound: alone, user, clientId: undefined }
    }
    if (!isNamed) return undefined
    const bound = this.#value(key, { 'client-id': clientId }) ?? this.#value(key, { 'client-id': null })
    return bound === undefined ? undefined : { bound, user: undefined, clientId }
  }

  /** Connections a second that this address may open. */
  connectionRateOf(ip: string): number | undefined {
    return this.#value(connectionRateKey, { ip }) ?? this.#value(connectionRateKey, { ip: null })
  }

  of(entity: QuotaEntity): ReadonlyMap<QuotaKey, number> | undefined {
    return this.#byEntity.get(quotaEntityKey(entity))?.values
  }

  /** Entities that have every type asked for, under the name asked for; `strict`: and no other type. */
  *matching(filter: ReadonlyMap<QuotaEntityType, QuotaMatch>, strict: boolean): Iterable<EntityQuotas> {
    for (const { entity, values } of this.#byEntity.values()) {
      if (strict && Object.keys(entity).length !== filter.size) continue
      const matches = [...filter].every(([type, match]) => {
        const name = entity[type]
        return name !== undefined && (match.kind === 'any' || match.name === name)
      })
      // Kafka: a strict filter that asks for nothing finds nothing, for no entity is empty.
      if (matches) yield { entity, values }
    }
  }

  /** A quota that is to go and is not there is no fault: somebody took it away meanwhile. */
  apply(changes: readonly QuotaChange[]): void {
    this.#version += 1
    for (const { entity, key, value } of changes) {
      const at = quotaEntityKey(entity)
      const entry = this.#byEntity.get(at) ?? { entity, values: new Map<QuotaKey, number>() }
      const had = entry.values.has(key)
      if (value === null) entry.values.delete(key)
      else entry.values.set(key, value)
      this.#count(key, Number(value !== null) - Number(had))
      if (entry.values.size > 0) this.#byEntity.set(at, entry)
      else this.#byEntity.delete(at)
    }
  }

  form(): QuotasForm {
    return [...this.#byEntity.values()].flatMap(({ entity, values }) =>
      [...values].map(([key, value]) => ({ entity, key, value })),
    )
  }

  restore(form: readonly QuotaChange[]): void {
    this.#byEntity.clear()
    this.#counts.clear()
    this.apply(form)
  }

  #value(key: QuotaKey, entity: QuotaEntity): number | undefined {
    return this.#byEntity.get(quotaEntityKey(entity))?.values.get(key)
  }

  #count(key: QuotaKey, by: number): void {
    const count = (this.#counts.get(key) ?? 0) + by
    if (count > 0) this.#counts.set(key, count)
    else this.#counts.delete(key)
  }
}
