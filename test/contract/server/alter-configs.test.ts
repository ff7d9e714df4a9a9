// Owns how AlterConfigs and IncrementalAlterConfigs are answered, each in every version served. What a config does is the broker's.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { alterConfigsRequest, alterConfigsResource } from '../../../src/protocol/generated/alter-configs.ts'
import {
  type AlterableConfig,
  alterableConfig,
  alterConfigsResource as incrementalResource,
  incrementalAlterConfigsRequest,
} from '../../../src/protocol/generated/incremental-alter-configs.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

const [topicType, brokerType, groupType] = [2, 4, 32]
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

it('each resource is answered for itself; brokers and groups say why not', async () => {
  running.broker.add('other')
  const configs = [config('retention.ms', set, '5')]
  const resource = (resourceType: number, resourceName: string) => incrementalResource({ resourceType, resourceName, configs })
  const resources = [
    resource(topicType, 't'),
    resource(topicType, 'nowhere'),
    resource(topicType, 'not legal!'),
    resource(brokerType, '7'),
    resource(groupType, 'g'),
    resource(topicType, 'other'),
    resource(topicType, 'other'),
  ]
  const { responses } = await client.ask('IncrementalAlterConfigs', 1, incrementalAlterConfigsRequest({ resources }))
  expect(responses.map(({ resourceType, resourceName, errorCode }) => [resourceType, resourceName, errorCode])).toEqual([
    [topicType, 't', 0],
    [topicType, 'nowhere', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [topicType, 'not legal!', ErrorCode.INVALID_TOPIC_EXCEPTION],
    [brokerType, '7', ErrorCode.INVALID_REQUEST],
    [groupType, 'g', ErrorCode.INVALID_REQUEST],
    [topicType, 'other', ErrorCode.INVALID_REQUEST],
    [topicType, 'other', ErrorCode.INVALID_REQUEST],
  ])
  expect(own()).toEqual({ 'retention.ms': '5' })
  expect(own('other')).toEqual({})
})
