// Owns the ACLs of the cluster as the metadata machine keeps them, and finding those that speak of a resource. Commands change them
// through ClusterState. Not what they decide (src/server/guard).

/** Numbers are Kafka's codes, as the wire has them. */
export interface AclRecord {
  readonly resourceType: number
  readonly resourceName: string
  /** 3 literal, 4 prefixed. */
  readonly patternType: number
  /** `User:alice`, or `User:*` for everyone. */
  readonly principal: string
  /** An address, or `*`. */
  readonly host: string
  readonly operation: number
  /** 2 deny, 3 allow. */
  readonly permission: number
}

export const literalPattern = 3
export const prefixedPattern = 4
/** The literal name that means every resource of its type. */
export const wildcardName = '*'

const keyOf = (acl: AclRecord): string =>
  JSON.stringify([acl.resourceType, acl.resourceName, acl.patternType, acl.principal, acl.host, acl.operation, acl.permission])

/** Whether this is a list of ACLs, as a command or a snapshot holds it. */
export function areAcls(value: unknown): value is readonly AclRecord[] {
  return (
    Array.isArray(value) &&
    (value as ReadonlyArray<Partial<Record<keyof AclRecord, unknown>> | null>).every((acl) => {
      const numbers = [acl?.resourceType, acl?.patternType, acl?.operation, acl?.permission]
      const texts = [acl?.resourceName, acl?.principal, acl?.host]
      return numbers.every(Number.isSafeInteger) && texts.every((text) => typeof text === 'string')
    })
  )
}

interface OfType {
  readonly literal: Map<string, Map<string, AclRecord>>
  readonly prefixed: Map<string, Map<string, AclRecord>>
}

export class Acls {
  /** By resource type, kind of pattern, name, and the ACL's own key. */
  readonly #byType = new Map<number, OfType>()

  /** What is there already stays, what is gone already is gone: the log may hold both twice. */
  apply(additions: readonly AclRecord[], removals: readonly AclRecord[]): void {
    for (const acl of removals) {
      const named = this.#named(acl)
      const acls = named.get(acl.resourceName)
      acls?.delete(keyOf(acl))
      if (acls?.size === 0) named.delete(acl.resourceName)
    }
    for (const acl of additions) {
      const named = this.#named(acl)
      const acls = named.get(acl.resourceName) ?? new Map<string, AclRecord>()
      named.set(acl.resourceName, acls.set(keyOf(acl), acl))
    }
  }

  restore(acls: readonly AclRecord[]): void {
    this.#byType.clear()
    this.apply(acls, [])
  }

  *all(): Iterable<AclRecord> {
    for (const type of this.#byType.keys()) yield* this.ofType(type)
  }

  *ofType(resourceType: number): Iterable<AclRecord> {
    const own = this.#byType.get(resourceType)
    if (own === undefined) return
    for (const named of [own.literal, own.prefixed]) for (const acls of named.values()) yield* acls.values()
  }

  /** All whose pattern covers this resource, whomever they are about. */
  *about(resourceType: number, resourceName: string): Iterable<AclRecord> {
    const own = this.#byType.get(resourceType)
    if (own === undefined) return
    yield* own.literal.get(resourceName)?.values() ?? []
    if (resourceName !== wildcardName) yield* own.literal.get(wildcardName)?.values() ?? []
    for (const [prefix, acls] of own.prefixed) if (resourceName.startsWith(prefix)) yield* acls.values()
  }

  #named({ resourceType, patternType }: AclRecord): Map<string, Map<string, AclRecord>> {
    const own: OfType = this.#byType.get(resourceType) ?? { literal: new Map(), prefixed: new Map() }
    this.#byType.set(resourceType, own)
    return patternType === prefixedPattern ? own.prefixed : own.literal
  }
}
