// Owns how AlterConfigs and IncrementalAlterConfigs are answered, each in every version served. What a config does is the broker's.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { alterConfigsRequest, alterConfigsResource } from '../../../src/protocol/generated/alter-configs.ts'
import {
  type AlterableConfig,
  alterableConfig,
  alterConfigsResource as incrementalResource,
  incrementalAlterConfigsRequest,
} from '../../../src/protocol/generated/incremental-alter-configs.ts'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { describeConfigsRequest, describeConfigsResource } from '../../../src/protocol/generated/describe-configs.ts'
import { listConfigResourcesRequest } from '../../../src/protocol/generated/list-config-resources.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

const [topicType, brokerType, loggerType, metricsType, groupType] = [2, 4, 8, 16, 32]
const [set, remove, append, subtract] = [0, 1, 2, 3]

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
  running.broker.add('t')
})
afterEach(() => running.stop())

const own = (name = 't'): Record<string, string> => Object.fromEntries(running.broker.topicByName(name)?.configs ?? [])
const config = (name: string, configOperation: number, value: string | null = null): AlterableConfig =>
  alterableConfig({ name, configOperation, value })

async function incremental(configs: readonly AlterableConfig[], fields: { version?: number; validateOnly?: boolean } = {}) {
  const resources = [incrementalResource({ resourceType: topicType, resourceName: 't', configs })]
  const request = incrementalAlterConfigsRequest({ resources, validateOnly: fields.validateOnly ?? false })
  const { responses } = await client.ask('IncrementalAlterConfigs', fields.version ?? 1, request)
  return responses[0]!
}

it.each([0, 1])(
  'an incremental change in version %i sets, appends, subtracts and removes, and leaves the rest',
  async (version) => {
    expect(await incremental([config('retention.ms', set, '1000')], { version })).toMatchObject({
      errorCode: 0,
      errorMessage: null,
    })
    expect((await incremental([config('cleanup.policy', set, 'delete')], { version })).errorCode).toBe(0)
    expect(own()).toEqual({ 'retention.ms': '1000', 'cleanup.policy': 'delete' })
    expect((await incremental([config('cleanup.policy', append, 'compact,delete')], { version })).errorCode).toBe(0)
    // The broker shows what is in force: here always the default, `delete`.
    expect(own()['cleanup.policy']).toBe('delete,compact')
    expect((await incremental([config('cleanup.policy', subtract, 'delete')], { version })).errorCode).toBe(0)
    expect(own()['cleanup.policy']).toBe('')
    expect((await incremental([config('retention.ms', remove)], { version })).errorCode).toBe(0)
    expect(own()).toEqual({ 'cleanup.policy': '' })
  },
)

it('a change that is only to be validated changes nothing', async () => {
  expect((await incremental([config('retention.ms', set, '1000')], { validateOnly: true })).errorCode).toBe(0)
  expect(own()).toEqual({})
})

it('what cannot be done is refused by name, and nothing of the resource is changed', async () => {
  const good = config('retention.ms', set, '1')
  const unknown = await incremental([good, config('retention.sm', set, '1')])
  expect(unknown).toMatchObject({
    errorCode: ErrorCode.INVALID_CONFIG,
    errorMessage: expect.stringContaining('retention.sm') as string,
  })
  const noList = await incremental([config('retention.ms', append, '1')])
  expect(noList).toMatchObject({
    errorCode: ErrorCode.INVALID_CONFIG,
    errorMessage: "Can't append to key retention.ms because its type is not LIST.",
  })
  expect((await incremental([good, good])).errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect((await incremental([config('retention.ms', set)])).errorMessage).toBe('Null value not supported for: retention.ms')
  expect((await incremental([config('retention.ms', 9, '1')])).errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect(own()).toEqual({})
})

it.each([0, 1, 2])('a full change in version %i takes away all that it does not name', async (version) => {
  const alter = async (value: Record<string, string | null>) => {
    const configs = Object.entries(value).map(([name, text]) => ({ name, value: text }))
    const resources = [alterConfigsResource({ resourceType: topicType, resourceName: 't', configs })]
    return (await client.ask('AlterConfigs', version, alterConfigsRequest({ resources }))).responses[0]!
  }
  expect((await alter({ 'retention.ms': '1', 'segment.ms': '2' })).errorCode).toBe(0)
  expect((await alter({ 'segment.ms': '3' })).errorCode).toBe(0)
  expect(own()).toEqual({ 'segment.ms': '3' })
  expect((await alter({ 'segment.ms': null })).errorCode).toBe(ErrorCode.INVALID_REQUEST)
})

it('a change that waits for the bucket too long is answered, and goes on', async () => {
  const slow = await startFront({ metadata: { changeMs: 20 } })
  const { name } = slow.broker.add('t')
  let open = (): void => undefined
  slow.broker.creationGate = new Promise((resolve) => (open = resolve))
  const resources = [
    incrementalResource({ resourceType: topicType, resourceName: name, configs: [config('retention.ms', set, '5')] }),
  ]
  const asking = await slow.client()
  const { responses } = await asking.ask('IncrementalAlterConfigs', 1, incrementalAlterConfigsRequest({ resources }))
  expect(responses[0]!.errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
  expect(slow.broker.topicByName(name)!.configs.size).toBe(0)
  open()
  await until(() => slow.broker.topicByName(name)!.configs.size === 1, 'the change to go on')
  await slow.stop()
})

it('a broker has nothing set at run time that could be removed, and that is no error', async () => {
  const throttles = [config('leader.replication.throttled.rate', remove), config('follower.replication.throttled.rate', remove)]
  const resources = ['7', '', '8'].map((resourceName) =>
    incrementalResource({ resourceType: brokerType, resourceName, configs: throttles }),
  )
  const { responses } = await client.ask('IncrementalAlterConfigs', 1, incrementalAlterConfigsRequest({ resources }))
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([0, 0, ErrorCode.INVALID_REQUEST])
})

/** Alters one resource, and answers how that went. */
async function alter(
  resourceType: number,
  resourceName: string,
  configs: readonly AlterableConfig[],
  fields: { readonly validateOnly?: boolean } = {},
) {
  const resources = [incrementalResource({ resourceType, resourceName, configs })]
  const request = incrementalAlterConfigsRequest({ resources, validateOnly: fields.validateOnly ?? false })
  const { responses } = await client.ask('IncrementalAlterConfigs', 1, request)
  return responses[0]!
}

/** What a resource shows, by name; its error where it shows none. */
async function described(resourceType: number, resourceName: string, keys: readonly string[] | null = null) {
  const resource = describeConfigsResource({ resourceType, resourceName, configurationKeys: keys })
  const request = describeConfigsRequest({ resources: [resource], includeSynonyms: true })
  const { results } = await client.ask('DescribeConfigs', 4, request)
  const { errorCode, configs } = results[0]!
  expect(errorCode).toBe(0)
  return configs
}

const shown = ({ name, value, configSource, readOnly, synonyms }: Awaited<ReturnType<typeof described>>[number]) => ({
  name,
  value,
  configSource,
  readOnly,
  synonyms: synonyms.map((synonym) => `${synonym.source} ${synonym.name}=${synonym.value ?? ''}`),
})

it('what is set on one broker goes before what is set on all, and that before the settings', async () => {
  expect(
    (await alter(brokerType, '', [config('log.retention.ms', set, '7'), config('max.connections', set, '50')])).errorCode,
  ).toBe(0)
  expect((await alter(brokerType, '7', [config('log.retention.ms', set, '5')])).errorCode).toBe(0)
  const [own] = await described(brokerType, '7', ['log.retention.ms'])
  expect(shown(own!)).toEqual({
    name: 'log.retention.ms',
    value: '5',
    configSource: 2,
    readOnly: false,
    synonyms: ['2 log.retention.ms=5', '3 log.retention.ms=7', '5 log.retention.hours=168'],
  })
  expect((await described(brokerType, '')).map(shown)).toEqual([
    { name: 'log.retention.ms', value: '7', configSource: 3, readOnly: false, synonyms: ['3 log.retention.ms=7'] },
    { name: 'max.connections', value: '50', configSource: 3, readOnly: false, synonyms: ['3 max.connections=50'] },
  ])
  const [fixed] = await described(brokerType, '7', ['num.partitions'])
  expect(shown(fixed!)).toMatchObject({ value: '2', configSource: 4, readOnly: true })
  expect((await alter(brokerType, '7', [config('log.retention.ms', remove)])).errorCode).toBe(0)
  expect((await described(brokerType, '7', ['log.retention.ms'])).map(shown)).toMatchObject([{ value: '7', configSource: 3 }])
})

it('a list of all brokers is appended to from what is in force', async () => {
  expect((await alter(brokerType, '', [config('log.cleanup.policy', append, 'compact')])).errorCode).toBe(0)
  expect(running.broker.brokerConfig('log.cleanup.policy')).toBe('delete,compact')
  expect((await alter(brokerType, '', [config('log.cleanup.policy', subtract, 'delete')])).errorCode).toBe(0)
  expect(running.broker.brokerConfig('log.cleanup.policy')).toBe('compact')
})

it.each([
  ['num.partitions', '3', 'Cannot update these configs dynamically: [num.partitions]'],
  ['min.insync.replicas', '2', 'Cannot update these configs dynamically: [min.insync.replicas]'],
  ['nonsense', '3', 'Unknown broker config name: nonsense'],
  ['message.max.bytes', 'abc', 'Invalid value abc for configuration message.max.bytes: Not a number of type INT'],
  ['message.max.bytes', '-5', 'Invalid value -5 for configuration message.max.bytes: Value must be at least 0'],
  ['max.connections', '0', 'Invalid value 0 for configuration max.connections: nobody could connect to take it back'],
  ['max.connections.per.ip.overrides', 'host', 'max.connections.per.ip.overrides must be addresses with counts'],
  [
    'ssl.keystore.location',
    '/x',
    'These security configs can be dynamically updated only per-listener using the listener prefix',
  ],
  [
    'listener.name.ssl.ssl.keystore.location',
    '/x',
    'Cannot update these configs dynamically; a listener has them from the settings',
  ],
])('a broker refuses %s=%s and changes nothing', async (name, value, message) => {
  const answer = await alter(brokerType, '7', [config('log.retention.ms', set, '5'), config(name, set, value)])
  expect(answer).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, errorMessage: expect.stringContaining(message) as string })
  expect(running.broker.configs.of('broker', '7').size).toBe(0)
})

it('connections are refused by what is set at the moment', async () => {
  expect((await alter(brokerType, '', [config('max.connections.per.ip', set, '1')])).errorCode).toBe(0)
  await expect(running.client().then((other) => other.ask('ApiVersions', 0, apiVersionsRequest({})))).rejects.toThrow()
  const overrides = config('max.connections.per.ip.overrides', set, '127.0.0.1:2')
  expect((await alter(brokerType, '', [overrides])).errorCode).toBe(0)
  const second = await running.client()
  expect((await second.ask('ApiVersions', 0, apiVersionsRequest({}))).errorCode).toBe(0)
  expect(
    (await alter(brokerType, '', [config('max.connections.per.ip', remove), config('max.connections.per.ip.overrides', remove)]))
      .errorCode,
  ).toBe(0)
  const third = await running.client()
  expect((await third.ask('ApiVersions', 0, apiVersionsRequest({}))).errorCode).toBe(0)
})

it('a group has times of its own within the bounds, over those of the broker', async () => {
  const [session, heartbeat] = ['consumer.session.timeout.ms', 'consumer.heartbeat.interval.ms']
  expect((await alter(groupType, 'g', [config(session, set, '50000')])).errorCode).toBe(0)
  expect((await described(groupType, 'g')).map(shown)).toEqual([
    {
      name: heartbeat,
      value: '5000',
      configSource: 5,
      readOnly: false,
      synonyms: ['5 group.consumer.heartbeat.interval.ms=5000'],
    },
    {
      name: session,
      value: '50000',
      configSource: 8,
      readOnly: false,
      synonyms: ['8 consumer.session.timeout.ms=50000', '5 group.consumer.session.timeout.ms=45000'],
    },
  ])
  const refused = async (name: string, value: string) => {
    const { errorCode, errorMessage } = await alter(groupType, 'g', [config(name, set, value)])
    expect(errorCode).toBe(ErrorCode.INVALID_CONFIG)
    return errorMessage
  }
  expect(await refused(session, '10')).toBe(`${session} must be greater than or equal to group.consumer.min.session.timeout.ms`)
  expect(await refused(session, '90000')).toBe(`${session} must be less than or equal to group.consumer.max.session.timeout.ms`)
  expect(await refused(heartbeat, '1')).toBe(
    `${heartbeat} must be greater than or equal to group.consumer.min.heartbeat.interval.ms`,
  )
  expect(await refused(session, 'x')).toBe(`Invalid value x for configuration ${session}: Not a number of type INT`)
  expect(await refused('consumer.nonsense', '1')).toBe('Unknown group config name: consumer.nonsense')
  expect(await refused('share.auto.offset.reset', 'earliest')).toContain('no share or streams groups')
  expect((await alter(groupType, '', [config(session, set, '50000')])).errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect(Object.fromEntries(running.broker.configs.of('group', 'g'))).toEqual({ [session]: '50000' })
})

it('a subscription of client metrics is kept, checked and shown', async () => {
  const configs = [
    config('interval.ms', set, '1000'),
    config('match', set, 'client_id=a.*,client_source_port=9'),
    config('metrics', set, 'a.,b.'),
  ]
  expect((await alter(metricsType, 'm', configs)).errorCode).toBe(0)
  expect((await described(metricsType, 'm')).map(({ name, value, configSource }) => [name, value, configSource])).toEqual([
    ['interval.ms', '1000', 7],
    ['match', 'client_id=a.*,client_source_port=9', 7],
    ['metrics', 'a.,b.', 7],
  ])
  const refused = async (name: string, value: string) => (await alter(metricsType, 'm', [config(name, set, value)])).errorMessage
  expect(await refused('interval.ms', '10')).toBe(
    'Invalid value 10 for interval.ms, interval must be between 100 and 3600000 (1 hour)',
  )
  expect(await refused('match', 'nonsense=a')).toBe('Illegal client matching pattern: nonsense=a')
  expect(await refused('match', 'client_id=(')).toBe('Illegal client matching pattern: client_id=(')
  expect(await refused('nonsense', 'a')).toBe('Unknown client metrics configuration: nonsense')
})

it('loggers show their levels, which are set and taken away at once and survive nothing', async () => {
  const levels = async () =>
    (await described(loggerType, '7')).map(({ name, value, configSource }) => [name, value, configSource])
  expect(await levels()).toEqual([['groups', 'INFO', 6], ['root', 'INFO', 6]]) // prettier-ignore
  expect((await alter(loggerType, '7', [config('groups', set, 'DEBUG')], { validateOnly: true })).errorCode).toBe(0)
  expect(running.logLevels.levelOf('groups')).toBe('INFO')
  expect((await alter(loggerType, '7', [config('groups', set, 'DEBUG'), config('root', set, 'ERROR')])).errorCode).toBe(0)
  expect(await levels()).toEqual([['groups', 'DEBUG', 6], ['root', 'ERROR', 6]]) // prettier-ignore
  expect((await alter(loggerType, '7', [config('groups', remove)])).errorCode).toBe(0)
  expect(running.logLevels.levelOf('groups')).toBe('ERROR')
  const refused = async (one: AlterableConfig) => (await alter(loggerType, '7', [one])).errorMessage
  expect(await refused(config('root', remove))).toBe('Removing the log level of the root logger is not allowed')
  expect(await refused(config('nobody', set, 'INFO'))).toBe('Logger nobody does not exist!')
  expect(await refused(config('root', append, 'INFO'))).toBe('APPEND operation is not allowed for the BROKER_LOGGER resource')
  expect(await refused(config('root', set, 'loud'))).toContain('Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN')
  const resources = [alterConfigsResource({ resourceType: loggerType, resourceName: '7', configs: [] })]
  const full = await client.ask('AlterConfigs', 2, alterConfigsRequest({ resources }))
  expect(full.responses[0]).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, errorMessage: 'Unknown resource type 8' })
})

it('who has configs is listed', async () => {
  await alter(groupType, 'g', [config('consumer.session.timeout.ms', set, '50000')])
  await alter(metricsType, 'm', [config('interval.ms', set, '1000')])
  const listed = async (version: number, resourceTypes: readonly number[]) => {
    const answer = await client.ask('ListConfigResources', version, listConfigResourcesRequest({ resourceTypes }))
    return answer.configResources.map(({ resourceType, resourceName }) => [resourceType, resourceName])
  }
  expect(await listed(1, [])).toEqual([[topicType, 't'], [brokerType, '7'], [loggerType, '7'], [metricsType, 'm'], [groupType, 'g']]) // prettier-ignore
  expect(await listed(1, [groupType])).toEqual([[groupType, 'g']])
  expect((await listed(0, [])).map(([, name]) => name)).toEqual(['m'])
  await alter(groupType, 'g', [config('consumer.session.timeout.ms', remove)])
  expect(await listed(1, [groupType])).toEqual([])
})

it('each resource is answered for itself', async () => {
  running.broker.add('other')
  const configs = [config('retention.ms', set, '5')]
  const resource = (resourceType: number, resourceName: string) => incrementalResource({ resourceType, resourceName, configs })
  const resources = [
    resource(topicType, 't'),
    resource(topicType, 'nowhere'),
    resource(topicType, 'not legal!'),
    resource(brokerType, '7'),
    resource(brokerType, '8'),
    resource(brokerType, 'seven'),
    resource(groupType, 'g'),
    resource(64, 'g'),
    resource(topicType, 'other'),
    resource(topicType, 'other'),
  ]
  const { responses } = await client.ask('IncrementalAlterConfigs', 1, incrementalAlterConfigsRequest({ resources }))
  expect(responses.map(({ resourceType, resourceName, errorCode }) => [resourceType, resourceName, errorCode])).toEqual([
    [topicType, 't', 0],
    [topicType, 'nowhere', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [topicType, 'not legal!', ErrorCode.INVALID_TOPIC_EXCEPTION],
    [brokerType, '7', ErrorCode.INVALID_REQUEST],
    [brokerType, '8', ErrorCode.INVALID_REQUEST],
    [brokerType, 'seven', ErrorCode.INVALID_REQUEST],
    [groupType, 'g', ErrorCode.INVALID_CONFIG],
    [64, 'g', ErrorCode.INVALID_REQUEST],
    [topicType, 'other', ErrorCode.INVALID_REQUEST],
    [topicType, 'other', ErrorCode.INVALID_REQUEST],
  ])
  expect(own()).toEqual({ 'retention.ms': '5' })
  expect(own('other')).toEqual({})
})
