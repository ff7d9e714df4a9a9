// Owns what ACLs decide, as Kafka's StandardAuthorizer does: a function of the ACLs, the settings, who asks, and what for. Not where
// ACLs are kept (broker), nor what is asked of which API (the guards beside it).
//
// Super users may do everything. A deny that fits is final; else an allow that fits; else, where no ACL at all speaks of the resource,
// the setting; else no. READ, WRITE, DELETE and ALTER allow DESCRIBE too, ALTER_CONFIGS allows DESCRIBE_CONFIGS; denying them does not
// deny what they imply.

import { type AclRecord, type Acls, literalPattern, wildcardName } from '../../broker/core/index.ts'
import { AclOperation, AclPermissionType } from '../../protocol/generated/enums.ts'
import { type Principal, showPrincipal } from '../security/principal.ts'

export interface AclPolicy {
  /** As Kafka writes principals: `User:admin`. */
  readonly superUsers: ReadonlySet<string>
  /** Kafka's allow.everyone.if.no.acl.found. */
  readonly allowIfNone: boolean
}

export interface Asker {
  readonly principal: Principal
  readonly host: string
}

export interface Deed {
  readonly operation: number
  readonly resourceType: number
  readonly resourceName: string
}

const everyone = 'User:*'
const anyHost = '*'

const impliedBy: ReadonlyMap<number, readonly number[]> = new Map([
  [AclOperation.DESCRIBE, [AclOperation.READ, AclOperation.WRITE, AclOperation.DELETE, AclOperation.ALTER]],
  [AclOperation.DESCRIBE_CONFIGS, [AclOperation.ALTER_CONFIGS]],
])

const isAbout = (acl: AclRecord, who: string, host: string): boolean =>
  (acl.principal === who || acl.principal === everyone) && (acl.host === host || acl.host === anyHost)

function covers(acl: AclRecord, operation: number): boolean {
  if (acl.operation === operation || acl.operation === AclOperation.ALL) return true
  return acl.permission === AclPermissionType.ALLOW && (impliedBy.get(operation)?.includes(acl.operation) ?? false)
}

export function isAllowed(acls: Acls, policy: AclPolicy, asker: Asker, { operation, resourceType, resourceName }: Deed): boolean {
  const who = showPrincipal(asker.principal)
  if (policy.superUsers.has(who)) return true
  let isSpokenOf = false
  let isAllowedByOne = false
  for (const acl of acls.about(resourceType, resourceName)) {
    isSpokenOf = true
    if (!isAbout(acl, who, asker.host) || !covers(acl, operation)) continue
    if (acl.permission === AclPermissionType.DENY) return false
    isAllowedByOne ||= acl.permission === AclPermissionType.ALLOW
  }
  return isAllowedByOne || (!isSpokenOf && policy.allowIfNone)
}

/**
 * Whether there may be a resource of this type on which the operation is allowed (Kafka's authorizeByResourceType): some pattern allows
 * it, and no pattern denies all that one covers.
 */
export function isAllowedSomewhere(acls: Acls, policy: AclPolicy, asker: Asker, what: Omit<Deed, 'resourceName'>): boolean {
  const who = showPrincipal(asker.principal)
  if (policy.superUsers.has(who)) return true
  const fitting = [...acls.ofType(what.resourceType)].filter(
    (acl) => isAbout(acl, who, asker.host) && (acl.operation === what.operation || acl.operation === AclOperation.ALL),
  )
  const denied = fitting.filter(({ permission }) => permission === AclPermissionType.DENY)
  const isWild = ({ patternType, resourceName }: AclRecord): boolean =>
    patternType === literalPattern && resourceName === wildcardName
  if (denied.some(isWild)) return false
  const isOpen = (acl: AclRecord): boolean =>
    isWild(acl) ||
    !denied.some((deny) =>
      deny.patternType === literalPattern
        ? acl.patternType === literalPattern && deny.resourceName === acl.resourceName
        : acl.resourceName.startsWith(deny.resourceName),
    )
  if (fitting.some((acl) => acl.permission === AclPermissionType.ALLOW && isOpen(acl))) return true
  // Some name nobody speaks of is left to the setting, unless a pattern denies every name.
  return (
    policy.allowIfNone && !denied.some(({ patternType, resourceName }) => patternType !== literalPattern && resourceName === '')
  )
}
