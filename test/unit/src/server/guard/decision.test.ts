// Owns the claims about what ACLs decide; the cases are those of Kafka's own StandardAuthorizerTest and AuthorizerTest, in our words.

import { describe, expect, it } from 'vitest'
import { type AclRecord, Acls, literalPattern, prefixedPattern } from '../../../../../src/broker/core/index.ts'
import { AclOperation, AclPermissionType, ResourceType } from '../../../../../src/protocol/generated/enums.ts'
import { Access, clusterName } from '../../../../../src/server/guard/access.ts'
import { type AclPolicy, isAllowed, isAllowedSomewhere } from '../../../../../src/server/guard/decision.ts'
import { userNamed } from '../../../../../src/server/security/principal.ts'

const { ALL, ALTER, ALTER_CONFIGS, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE } = AclOperation
const { ALLOW, DENY } = AclPermissionType
const { TOPIC, GROUP, CLUSTER } = ResourceType

const acl = (change: Partial<AclRecord>): AclRecord => ({
  resourceType: TOPIC,
  resourceName: 'orders',
  patternType: literalPattern,
  principal: 'User:alice',
  host: '*',
  operation: READ,
  permission: ALLOW,
  ...change,
})

const policy: AclPolicy = { superUsers: new Set(['User:root']), allowIfNone: false }
const acls = (...records: Array<Partial<AclRecord>>): Acls => {
  const set = new Acls()
  set.apply(records.map(acl), [])
  return set
}

interface Question {
  readonly who?: string
  readonly host?: string
  readonly operation?: number
  readonly type?: number
  readonly name?: string
  readonly policy?: AclPolicy
}

const ask = (
  set: Acls,
  { who = 'alice', host = '10.0.0.1', operation = READ, type = TOPIC, name = 'orders', policy: own }: Question = {},
): boolean =>
  isAllowed(set, own ?? policy, { principal: userNamed(who), host }, { operation, resourceType: type, resourceName: name })

describe('a decision', () => {
  it('lets super users do everything, even what is denied to everyone', () => {
    expect(ask(acls({ principal: 'User:*', operation: ALL, permission: DENY }), { who: 'root' })).toBe(true)
  })

  it('says no where nothing is said, or yes where the setting says so', () => {
    const open = { ...policy, allowIfNone: true }
    expect(ask(acls())).toBe(false)
    expect(ask(acls(), { policy: open })).toBe(true)
    expect(ask(acls({ principal: 'User:bob' }), { policy: open })).toBe(false)
    expect(ask(acls({ resourceName: 'other' }), { policy: open })).toBe(true)
    expect(ask(acls({ resourceType: GROUP }), { policy: open })).toBe(true)
  })

  it('needs principal, host, operation, type and name to fit', () => {
    const set = acls({ host: '10.0.0.1' })
    expect(ask(set)).toBe(true)
    for (const other of [{ who: 'bob' }, { host: '10.0.0.2' }, { operation: WRITE }, { type: GROUP }, { name: 'orders2' }])
      expect(ask(set, other), JSON.stringify(other)).toBe(false)
    expect(ask(acls({ principal: 'User:*' }), { who: 'bob' })).toBe(true)
    expect(ask(acls({ operation: ALL }), { operation: CREATE })).toBe(true)
  })

  it('lets a deny win over any allow, by whichever pattern either comes', () => {
    for (const allow of [{}, { resourceName: '*' }, { resourceName: 'ord', patternType: prefixedPattern }]) {
      for (const deny of [
        {},
        { resourceName: '*' },
        { resourceName: 'o', patternType: prefixedPattern },
        { principal: 'User:*' },
      ]) {
        expect(ask(acls(allow))).toBe(true)
        expect(ask(acls(allow, { ...deny, permission: DENY }))).toBe(false)
      }
    }
    expect(ask(acls({}, { permission: DENY, host: '10.9.9.9' }))).toBe(true)
    expect(ask(acls({}, { permission: DENY, operation: WRITE }))).toBe(true)
    expect(ask(acls({}, { permission: DENY, operation: ALL }))).toBe(false)
  })

  it('takes a prefix as a prefix, and a star as every name only in a literal', () => {
    const prefix = acls({ resourceName: 'ord', patternType: prefixedPattern })
    expect(ask(prefix)).toBe(true)
    expect(ask(prefix, { name: 'ord' })).toBe(true)
    expect(ask(prefix, { name: 'or' })).toBe(false)
    expect(ask(acls({ resourceName: '*' }), { name: 'anything' })).toBe(true)
    expect(ask(acls({ resourceName: '*', patternType: prefixedPattern }))).toBe(false)
  })

  it('lets some operations imply others when they are allowed, never when they are denied', () => {
    for (const operation of [READ, WRITE, DELETE, ALTER]) {
      expect(ask(acls({ operation }), { operation: DESCRIBE })).toBe(true)
      expect(ask(acls({ operation: DESCRIBE }, { operation, permission: DENY }), { operation: DESCRIBE })).toBe(true)
    }
    expect(ask(acls({ operation: ALTER_CONFIGS }), { operation: DESCRIBE_CONFIGS })).toBe(true)
    expect(ask(acls({ operation: ALTER_CONFIGS }), { operation: DESCRIBE })).toBe(false)
    expect(ask(acls({ operation: DESCRIBE }), { operation: READ })).toBe(false)
    expect(ask(acls({ operation: READ }, { operation: DESCRIBE, permission: DENY }), { operation: DESCRIBE })).toBe(false)
  })
})

describe('whether anything is allowed somewhere', () => {
  const somewhere = (set: Acls, own = policy): boolean =>
    isAllowedSomewhere(set, own, { principal: userNamed('alice'), host: '10.0.0.1' }, { operation: WRITE, resourceType: TOPIC })
  const write = { operation: WRITE }

  it('is so with one allow that no deny swallows', () => {
    expect(somewhere(acls())).toBe(false)
    expect(somewhere(acls(write))).toBe(true)
    expect(somewhere(acls({ operation: READ }))).toBe(false)
    expect(somewhere(acls(write, { ...write, permission: DENY }))).toBe(false)
    expect(somewhere(acls(write, { ...write, permission: DENY, resourceName: 'other' }))).toBe(true)
    expect(somewhere(acls(write, { ...write, permission: DENY, resourceName: 'or', patternType: prefixedPattern }))).toBe(false)
    expect(somewhere(acls({ ...write, resourceName: 'or', patternType: prefixedPattern }, { ...write, permission: DENY }))).toBe(
      true,
    )
    expect(somewhere(acls({ ...write, resourceName: '*' }, { ...write, permission: DENY }))).toBe(true)
    expect(somewhere(acls({ ...write, resourceName: '*' }, { ...write, permission: DENY, resourceName: '*' }))).toBe(false)
    expect(somewhere(acls(), { ...policy, allowIfNone: true })).toBe(true)
  })
})

describe('the set of ACLs', () => {
  it('holds each once, takes away exactly what is named, and comes back whole', () => {
    const set = acls({}, {}, { host: '10.0.0.1' }, { patternType: prefixedPattern })
    expect([...set.all()]).toHaveLength(3)
    set.apply([], [acl({}), acl({ principal: 'User:nobody' })])
    expect([...set.all()]).toHaveLength(2)
    const other = new Acls()
    other.restore([...set.all()])
    expect([...other.all()]).toEqual([...set.all()])
  })
})

describe('authorized operations', () => {
  it('are a bit for each that is allowed', () => {
    const access = new Access(
      { acls: acls({ operation: READ }, { resourceType: CLUSTER, resourceName: clusterName, operation: CREATE }), policy },
      { principal: userNamed('alice'), host: 'h' },
      { nameOf: () => undefined, exists: () => false, names: () => [] },
    )
    expect(access.operations('TOPIC', 'orders')).toBe((1 << READ) | (1 << DESCRIBE))
    expect(access.operations('TOPIC', 'other')).toBe(0)
    expect(access.operations('CLUSTER', clusterName)).toBe(1 << CREATE)
  })
})
