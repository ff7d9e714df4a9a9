// Owns the claims about ACLs on the wire: they are made, found and taken away as Kafka does it, and every API asks them: what a client may
// not do is refused with Kafka's error, beside what it may.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AclRecord, literalPattern, prefixedPattern } from '../../../src/broker/core/index.ts'
import { apiEntryOf, ErrorCode, zeroUuid } from '../../../src/protocol/index.ts'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { consumerGroupHeartbeatRequest } from '../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { createAclsRequest } from '../../../src/protocol/generated/create-acls.ts'
import { deleteAclsRequest } from '../../../src/protocol/generated/delete-acls.ts'
import { AclOperation, AclPermissionType, PatternType, ResourceType } from '../../../src/protocol/generated/enums.ts'
import { initProducerIdRequest } from '../../../src/protocol/generated/init-producer-id.ts'
import { listTransactionsRequest } from '../../../src/protocol/generated/list-transactions.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import { saslAuthenticateRequest } from '../../../src/protocol/generated/sasl-authenticate.ts'
import { saslHandshakeRequest } from '../../../src/protocol/generated/sasl-handshake.ts'
import { clusterName } from '../../../src/server/guard/access.ts'
import type { ListenerPlan } from '../../../src/server/index.ts'
import { PlainMechanism } from '../../../src/server/security/plain.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { memoryGroups } from './support/memory-groups.ts'
import type { RawClient } from './support/raw-client.ts'
import { type RunningFront, startFront } from './support/running-front.ts'
import { clusterCases } from './support/acl-cases-cluster.ts'
import { groupCases } from './support/acl-cases-groups.ts'
import { logCases } from './support/acl-cases-log.ts'
import { anyAcl, batch, commitOf, creation, fetchOf, type Name } from './support/acl-requests.ts'

const { ALL, CREATE, DESCRIBE, READ, WRITE } = AclOperation
const { TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID } = ResourceType
const { NONE, TOPIC_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED } = ErrorCode

const listeners: readonly ListenerPlan[] = [
  { name: 'CLIENTS', protocol: 'SASL_PLAINTEXT', listen: { host: '127.0.0.1', port: 0 } },
]

let running: RunningFront
let broker: MemoryBroker
let alice: RawClient

async function as(user: string): Promise<RawClient> {
  const client = await running.client()
  await client.ask('SaslHandshake', 1, saslHandshakeRequest({ mechanism: 'PLAIN' }))
  const authBytes = Buffer.from(`\u0000${user}\u0000x`)
  const answer = await client.ask('SaslAuthenticate', 2, saslAuthenticateRequest({ authBytes }))
  expect(answer.errorCode).toBe(NONE)
  return client
}

async function start(policy: { readonly allowIfNone: boolean } | undefined): Promise<void> {
  broker = new MemoryBroker()
  broker.add('orders', 2)
  broker.add('secret')
  const aclPolicy = policy === undefined ? {} : { aclPolicy: { superUsers: new Set(['User:root']), ...policy } }
  running = await startFront({
    broker,
    groups: memoryGroups(broker),
    settings: { listeners, ...aclPolicy },
    security: { tls: new Map(), sessionMsMax: 0, mechanisms: new Map([['PLAIN', new PlainMechanism(() => 'x')]]) },
  })
}

beforeEach(async () => {
  await start({ allowIfNone: false })
  alice = await as('alice')
})
afterEach(() => running.stop())

const acl = (resourceType: number, resourceName: string, operation: number, change: Partial<AclRecord> = {}): AclRecord => ({
  resourceType,
  resourceName,
  patternType: literalPattern,
  principal: 'User:alice',
  host: '*',
  operation,
  permission: AclPermissionType.ALLOW,
  ...change,
})
const allow = (...rights: ReadonlyArray<readonly [type: number, name: string, operation: number]>): void => {
  broker.acls.set.apply(
    rights.map(([type, name, operation]) => acl(type, name, operation)),
    [],
  )
}

const topicId = (name: string): string => broker.topicByName(name)!.id

test('a consumer may subscribe by an expression when it may see every topic that matches', async () => {
  allow([GROUP, 'new-readers', READ], [TOPIC, 'orders', DESCRIBE])
  const codeOf = async (subscribedTopicRegex: string): Promise<number> => {
    const member = { groupId: 'new-readers', memberId: 'AAECAwQFBgcICQoLDA0ODw', memberEpoch: 0, rebalanceTimeoutMs: 1000 }
    const request = consumerGroupHeartbeatRequest({ ...member, subscribedTopicRegex, topicPartitions: [] })
    return (await alice.ask('ConsumerGroupHeartbeat', 1, request)).errorCode
  }
  expect(await codeOf('or.*')).toBe(NONE)
  expect(await codeOf('.*')).toBe(TOPIC_AUTHORIZATION_FAILED)
})

test('ListTransactions lists the ids that the client may describe', async () => {
  const root = await as('root')
  for (const transactionalId of ['mine', 'other']) {
    const fields = { transactionalId, transactionTimeoutMs: 1000, producerId: -1n, producerEpoch: -1 }
    expect((await root.ask('InitProducerId', 4, initProducerIdRequest(fields))).errorCode).toBe(NONE)
  }
  const listed = async (client: RawClient): Promise<string[]> =>
    (await client.ask('ListTransactions', 2, listTransactionsRequest())).transactionStates
      .map(({ transactionalId }) => transactionalId)
      .sort()
  expect(await listed(root)).toEqual(['mine', 'other'])
  expect(await listed(alice)).toEqual([])
  allow([TRANSACTIONAL_ID, 'mine', DESCRIBE])
  expect(await listed(alice)).toEqual(['mine'])
})

const cases = [...logCases, ...groupCases, ...clusterCases]

describe('every API', () => {
  test.each(cases.map((make, at) => [at, make] as const))('asks the ACLs, case %i', async (_at, make) => {
    const { name, version, request, codes, rights, denied } = make(topicId)
    const ask = async (client: RawClient): Promise<readonly number[]> => codes(await client.ask(name, version, request()))
    expect(await ask(alice), `${name} without a right`).toContain(denied)
    expect(await ask(alice), `${name} without a right`).not.toContain(NONE)
    allow(...rights)
    expect(new Set(await ask(alice)), `${name} with the right`).toEqual(new Set([NONE]))
  })

  test('is in the list above', async () => {
    const asked = new Set(cases.map((make) => make(topicId).name))
    const open = ['ApiVersions', 'SaslHandshake', 'SaslAuthenticate', 'DescribeCluster', 'ListGroups', 'ListTransactions']
    for (const name of open) asked.add(name as Name)
    const { apiKeys } = await alice.ask('ApiVersions', 0, apiVersionsRequest())
    expect(apiKeys.map(({ apiKey }) => apiEntryOf(apiKey)!.name).filter((name) => !asked.has(name))).toEqual([])
  })
})

describe('what is allowed in part', () => {
  test('is done, and the rest refused beside it', async () => {
    allow([TOPIC, 'orders', ALL], [GROUP, 'readers', ALL])
    const produced = await alice.ask('Produce', 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1000,
      topicData: ['secret', 'orders'].map((name) => ({
        name,
        topicId: zeroUuid,
        partitionData: [{ index: 0, records: [batch()] }],
      })),
    })
    const byName = new Map(produced.responses.map((one) => [one.name, one.partitionResponses[0]!.errorCode]))
    expect([byName.get('orders'), byName.get('secret')]).toEqual([NONE, TOPIC_AUTHORIZATION_FAILED])
    expect(broker.topicByName('secret')!.partitions[0]!.batches).toHaveLength(0)

    const fetched = await alice.ask('Fetch', 13, fetchOf([topicId('secret'), topicId('orders')]))
    const byId = new Map(fetched.responses.map((one) => [one.topicId, one.partitions[0]!]))
    expect(byId.get(topicId('orders'))!.records).not.toHaveLength(0)
    expect(byId.get(topicId('secret'))).toMatchObject({ errorCode: TOPIC_AUTHORIZATION_FAILED, highWatermark: -1n })

    const committed = await alice.ask('OffsetCommit', 8, commitOf(['secret', 'orders']))
    expect(committed.topics.map(({ name, partitions }) => [name, partitions[0]!.errorCode])).toEqual([
      ['orders', NONE],
      ['secret', TOPIC_AUTHORIZATION_FAILED],
    ])
  })

  test('a produce without an answer ends the connection when some of it is refused', async () => {
    allow([TOPIC, 'orders', WRITE])
    alice.send('Produce', 9, {
      transactionalId: null,
      acks: 0,
      timeoutMs: 1000,
      topicData: ['secret', 'orders'].map((name) => ({
        name,
        topicId: zeroUuid,
        partitionData: [{ index: 0, records: [batch()] }],
      })),
    })
    await alice.whenClosed
    expect(broker.topicByName('orders')!.partitions[0]!.batches).toHaveLength(1)
    expect(broker.topicByName('secret')!.partitions[0]!.batches).toHaveLength(0)
  })

  test('a produce of a transaction that is not allowed is refused whole', async () => {
    allow([TOPIC, 'orders', WRITE])
    const { responses } = await alice.ask('Produce', 9, {
      transactionalId: 'payments',
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', topicId: zeroUuid, partitionData: [{ index: 0, records: [batch()] }] }],
    })
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
  })
})

describe('what a client may not describe', () => {
  test('is not in the list of all topics, in any version, nor by paging', async () => {
    allow([TOPIC, 'orders', DESCRIBE])
    for (const version of [0, 1, 12]) {
      const { topics } = await alice.ask('Metadata', version, metadataRequest({ topics: version === 0 ? [] : null }))
      expect(topics.map(({ name }) => name)).toEqual(['orders'])
    }
    for (const limit of [1, 10]) {
      const page = { topics: [], responsePartitionLimit: limit, cursor: null }
      const { topics, nextCursor } = await alice.ask('DescribeTopicPartitions', 0, page)
      expect(topics.map(({ name }) => name)).toEqual(['orders'])
      expect(nextCursor?.topicName ?? 'orders').toBe('orders')
    }
  })

  test('does not come back as "all" when nothing is left of a request', async () => {
    const asked = [{ name: 'secret', topicId: zeroUuid }]
    for (const version of [0, 1, 12]) {
      const { topics } = await alice.ask('Metadata', version, metadataRequest({ topics: asked }))
      expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([['secret', TOPIC_AUTHORIZATION_FAILED]])
    }
    const page = { topics: [{ name: 'secret' }], responsePartitionLimit: 10, cursor: null }
    const { topics } = await alice.ask('DescribeTopicPartitions', 0, page)
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([['secret', TOPIC_AUTHORIZATION_FAILED]])
  })

  test('cannot be told from what is not there, by name or by id', async () => {
    const named = ['secret', 'nowhere'].map((name) => ({ name, topicId: zeroUuid }))
    const { topics } = await alice.ask('Metadata', 12, metadataRequest({ topics: named }))
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([TOPIC_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED])
    expect(broker.topicByName('nowhere')).toBeUndefined()
    const byId = [topicId('secret'), 'AAAAAAAAAAAAAAAAAAAAAQ'].map((id) => ({ name: null, topicId: id }))
    const numbered = await alice.ask('Metadata', 12, metadataRequest({ topics: byId }))
    expect(numbered.topics.map(({ errorCode, name }) => [errorCode, name])).toEqual([
      [ErrorCode.UNKNOWN_TOPIC_ID, null],
      [ErrorCode.UNKNOWN_TOPIC_ID, null],
    ])
  })

  test('is not among the groups; who describes the cluster sees them all', async () => {
    allow([GROUP, 'readers', READ], [GROUP, 'others', READ], [TOPIC, 'orders', READ])
    await alice.ask('OffsetCommit', 8, commitOf(['orders']))
    await alice.ask('OffsetCommit', 8, { ...commitOf(['orders']), groupId: 'others' })
    const groupsOf = async (): Promise<string[]> =>
      (await alice.ask('ListGroups', 4, { statesFilter: [], typesFilter: [] })).groups.map(({ groupId }) => groupId).sort()
    expect(await groupsOf()).toEqual(['others', 'readers'])
    broker.acls.set.apply([], [acl(GROUP, 'others', READ)])
    expect(await groupsOf()).toEqual(['readers'])
    allow([CLUSTER, clusterName, DESCRIBE])
    expect(await groupsOf()).toEqual(['others', 'readers'])
  })

  test('has its committed offsets hidden as well', async () => {
    allow([GROUP, 'readers', READ], [TOPIC, 'orders', READ], [TOPIC, 'secret', READ])
    await alice.ask('OffsetCommit', 8, commitOf(['orders', 'secret']))
    broker.acls.set.apply([], [acl(TOPIC, 'secret', READ)])
    const all = await alice.ask('OffsetFetch', 7, { groupId: 'readers', topics: null, groups: [], requireStable: false })
    expect(all.topics.map(({ name }) => name)).toEqual(['orders'])
    const group = { groupId: 'readers', memberId: null, memberEpoch: -1 }
    const wanted = ['secret', 'orders'].map((name) => ({ name, topicId: zeroUuid, partitionIndexes: [0] }))
    for (const topics of [null, wanted]) {
      const { groups } = await alice.ask('OffsetFetch', 9, {
        groupId: '',
        topics: [],
        requireStable: false,
        groups: [{ ...group, topics }],
      })
      const found = groups[0]!.topics.map(({ name, partitions }) => [name, partitions[0]!.errorCode])
      expect(found).toEqual([['orders', NONE], ...(topics === null ? [] : [['secret', TOPIC_AUTHORIZATION_FAILED]])])
    }
  })
})

describe('rights that change', () => {
  test('count from the next request on, also for a consumer that had a session in mind', async () => {
    allow([TOPIC, 'orders', READ])
    const first = await alice.ask('Fetch', 13, fetchOf([topicId('orders')]))
    expect([first.errorCode, first.sessionId]).toEqual([NONE, 0])
    broker.acls.set.apply([], [acl(TOPIC, 'orders', READ)])
    const second = await alice.ask('Fetch', 13, fetchOf([topicId('orders')]))
    expect(second.responses[0]!.partitions[0]!.errorCode).toBe(TOPIC_AUTHORIZATION_FAILED)
    const remembered = await alice.ask('Fetch', 13, fetchOf([], { id: 77, epoch: 3 }))
    expect(remembered.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  test('are told as authorized operations', async () => {
    allow([TOPIC, 'orders', READ], [CLUSTER, clusterName, CREATE])
    const request = metadataRequest({
      topics: [{ name: 'orders', topicId: zeroUuid }],
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    })
    const { topics, clusterAuthorizedOperations } = await alice.ask('Metadata', 10, request)
    expect(topics[0]!.topicAuthorizedOperations).toBe((1 << READ) | (1 << DESCRIBE))
    expect(clusterAuthorizedOperations).toBe(1 << CREATE)
  })
})

describe('the APIs of ACLs', () => {
  test('make, find and take away, by every kind of filter', async () => {
    const root = await as('root')
    const creations = [
      creation(),
      creation({ resourceName: 'ord', resourcePatternType: prefixedPattern }),
      creation({ resourceName: '*' }),
      creation({ resourceType: GROUP, resourceName: 'readers' }),
      creation({ principal: 'User:carol', permissionType: AclPermissionType.DENY }),
    ]
    const made = await root.ask('CreateAcls', 3, createAclsRequest({ creations }))
    expect(made.results.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0, 0])
    const count = async (filter: Partial<ReturnType<typeof anyAcl>>): Promise<number> => {
      const { errorCode, resources } = await root.ask('DescribeAcls', 3, { ...anyAcl(), ...filter })
      expect(errorCode).toBe(NONE)
      return resources.reduce((sum, { acls }) => sum + acls.length, 0)
    }
    expect(await count({})).toBe(5)
    expect(await count({ resourceTypeFilter: TOPIC })).toBe(4)
    expect(await count({ resourceTypeFilter: TOPIC, resourceNameFilter: 'orders' })).toBe(2)
    expect(await count({ resourceTypeFilter: TOPIC, resourceNameFilter: 'orders', patternTypeFilter: PatternType.MATCH })).toBe(4)
    expect(await count({ patternTypeFilter: PatternType.PREFIXED })).toBe(1)
    expect(await count({ principalFilter: 'User:carol' })).toBe(1)
    expect(await count({ permissionType: AclPermissionType.DENY })).toBe(1)
    expect(await count({ operation: WRITE })).toBe(0)
    expect(await count({ hostFilter: '10.0.0.1' })).toBe(0)
    const filters = [
      { ...anyAcl(), principalFilter: 'User:carol' },
      { ...anyAcl(), resourceTypeFilter: GROUP },
    ]
    const { filterResults } = await root.ask('DeleteAcls', 3, deleteAclsRequest({ filters }))
    expect(filterResults.map(({ matchingAcls }) => matchingAcls.length)).toEqual([1, 1])
    expect(filterResults[0]!.matchingAcls[0]).toMatchObject({ principal: 'User:carol', permissionType: AclPermissionType.DENY })
    expect(await count({})).toBe(3)
  })

  test.each([
    [{ resourceType: 1 }, /resource type/],
    [{ resourceType: 99 }, /resource type/],
    [{ resourcePatternType: 2 }, /pattern type/],
    [{ operation: 1 }, /operation/],
    [{ permissionType: 1 }, /permission/],
    [{ resourceName: '' }, /empty/],
    [{ resourceType: CLUSTER }, /only valid name for the CLUSTER resource is kafka-cluster/],
    [{ principal: 'bob' }, /principal/],
    [{ host: '' }, /Host/],
    [{ resourceName: 'x'.repeat(2000) }, /longer/],
  ])('refuse %j', async (change, words) => {
    const root = await as('root')
    const { results } = await root.ask('CreateAcls', 3, createAclsRequest({ creations: [creation(change), creation()] }))
    expect(results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.INVALID_REQUEST, NONE])
    expect(results[0]!.errorMessage).toMatch(words)
    expect([...broker.acls.set.all()]).toHaveLength(1)
  })

  test('answer SECURITY_DISABLED while ACLs are not asked', async () => {
    await running.stop()
    await start(undefined)
    const client = await as('anybody')
    expect((await client.ask('DescribeAcls', 3, anyAcl())).errorCode).toBe(ErrorCode.SECURITY_DISABLED)
    const made = await client.ask('CreateAcls', 3, createAclsRequest({ creations: [creation()] }))
    expect(made.results[0]!.errorCode).toBe(ErrorCode.SECURITY_DISABLED)
    const gone = await client.ask('DeleteAcls', 3, deleteAclsRequest({ filters: [anyAcl()] }))
    expect(gone.filterResults[0]!.errorCode).toBe(ErrorCode.SECURITY_DISABLED)
    await client.ask('Metadata', 12, metadataRequest({ topics: null }))
  })
})
