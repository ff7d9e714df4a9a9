// Owns what the listener does with clients that mean harm or are broken: it closes them with a log line and holds little for them.

import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { seededPrng } from '../../../src/base/prng.ts'
import { apiVersionsRequest, type ApiVersionsResponse } from '../../../src/protocol/generated/api-versions.ts'
import { consumerGroupDescribeRequest } from '../../../src/protocol/generated/consumer-group-describe.ts'
import { consumerGroupHeartbeatRequest } from '../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { createPartitionsRequest, createPartitionsTopic } from '../../../src/protocol/generated/create-partitions.ts'
import { creatableTopic, createTopicsRequest } from '../../../src/protocol/generated/create-topics.ts'
import { describeConfigsRequest } from '../../../src/protocol/generated/describe-configs.ts'
import { describeGroupsRequest } from '../../../src/protocol/generated/describe-groups.ts'
import { electLeadersRequest } from '../../../src/protocol/generated/elect-leaders.ts'
import { joinGroupRequest } from '../../../src/protocol/generated/join-group.ts'
import { metadataRequest, metadataRequestTopic } from '../../../src/protocol/generated/metadata.ts'
import { ApiKey, ErrorCode } from '../../../src/protocol/index.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { memoryGroups } from './support/memory-groups.ts'
import { fetchFrom, later, produceTo, until } from './support/requests.ts'
import { type FrontVariant, type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront

const start = async (variant: FrontVariant = {}): Promise<RunningFront> => {
  running = await startFront(variant)
  return running
}
afterEach(() => running.stop())

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const header = (key: number, version: number): Buffer => {
  const bytes = Buffer.alloc(10)
  bytes.writeInt16BE(key, 0)
  bytes.writeInt16BE(version, 2)
  bytes.writeInt32BE(77, 4)
  bytes.writeInt16BE(-1, 8)
  return bytes
}

const framed = (body: Buffer): Buffer => Buffer.concat([int32(body.length), body])

describe('bytes that cannot be served', () => {
  it.each([
    ['a negative size', int32(-1)],
    ['a size of nothing', int32(0)],
    ['a size beyond the limit', int32(0x7fffffff)],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: here\r\n\r\n')],
    ['an unknown API', framed(header(999, 0))],
    ['a version too new', framed(header(ApiKey.Fetch, 99))],
    ['a version too old', framed(header(ApiKey.Fetch, 1))],
    ['a negative version', framed(header(ApiKey.Metadata, -3))],
    ['a request cut short', framed(header(ApiKey.Produce, 9))],
    ['an array longer than its request', framed(Buffer.concat([header(ApiKey.Metadata, 4), int32(0x7ffffff0)]))],
  ])('%s closes the connection with one log line', async (_what, bytes) => {
    await start()
    const client = await running.client()
    client.socket.write(bytes)
    await client.whenClosed
    expect(running.log.warnings()).toHaveLength(1)
    const other = await running.client()
    expect((await other.ask('Metadata', 9, metadataRequest({ topics: [] }))).brokers).toHaveLength(1)
  })

  it('a name as long as a string can be is quoted in no more than fits, and a longer one closes the connection', async () => {
    const broker = new MemoryBroker()
    const groups = memoryGroups(broker)
    await start({ broker, groups })
    const name = 'x'.repeat(0x7fff)
    const client = await running.client()
    const resources = [{ resourceType: 2, resourceName: name, configurationKeys: null }]
    const named = { groupId: name, memberId: name, memberEpoch: 4 }
    const ask = [
      () => client.ask('DescribeConfigs', 4, describeConfigsRequest({ resources })),
      () => client.ask('ElectLeaders', 2, electLeadersRequest({ topicPartitions: [{ topic: name, partitions: [0] }] })),
      () => client.ask('CreatePartitions', 3, createPartitionsRequest({ topics: [createPartitionsTopic({ name, count: 3 })] })),
      () => client.ask('CreateTopics', 7, createTopicsRequest({ topics: [creatableTopic({ name })] })),
      () => client.ask('DescribeGroups', 6, describeGroupsRequest({ groups: [name] })),
      () => client.ask('ConsumerGroupDescribe', 1, consumerGroupDescribeRequest({ groupIds: [name] })),
      () => client.ask('ConsumerGroupHeartbeat', 1, consumerGroupHeartbeatRequest(named)),
      () => client.ask('ConsumerGroupHeartbeat', 1, consumerGroupHeartbeatRequest({ ...named, serverAssignor: name })),
      () => client.ask('Metadata', 9, metadataRequest({ topics: [metadataRequestTopic({ name })] })),
    ]
    for (const one of ask) expect(await one()).toBeDefined()
    const protocols = [{ name: 'range', metadata: new Uint8Array(10) }]
    const joining = { groupId: 'g', groupInstanceId: name, sessionTimeoutMs: 10_000, protocolType: 'consumer', protocols }
    expect((await client.ask('JoinGroup', 9, joinGroupRequest(joining))).memberId.length).toBeLessThan(0x7fff)
    // The writer of our own client would not write it: the length stands in the bytes.
    const long = Buffer.concat([
      header(ApiKey.Metadata, 9),
      Buffer.from([0, 2, 0x81, 0x80, 0x02]),
      Buffer.alloc(0x8000, 120),
      Buffer.alloc(5),
    ])
    client.socket.write(framed(long))
    await client.whenClosed
    const other = await running.client()
    expect((await other.ask('Metadata', 9, metadataRequest({ topics: [] }))).brokers).toHaveLength(1)
    await groups.close()
  })

  it('what came before the bad request is still answered', async () => {
    await start()
    const { partitions } = running.broker.add('slow')
    partitions[0]!.held = []
    const client = await running.client()
    client.socket.write(Buffer.concat([client.frame('Produce', 7, produceTo({ topic: 'slow' })), framed(header(999, 0))]))
    await until(() => partitions[0]!.held!.length === 1, 'the produce has begun')
    partitions[0]!.held[0]!()
    expect((await client.next())!.key).toBe(ApiKey.Produce)
    await client.whenClosed
  })

  it('random bytes never do more than close their connection', async () => {
    await start()
    const prng = seededPrng(4)
    const keys = [0, 1, 2, 3, 10, 18, 19, 20, 22, 32, 37, 60]
    for (let round = 0; round < 300; round += 1) {
      const socket = connect({ host: '127.0.0.1', port: running.port })
      socket.on('error', () => undefined)
      const body = Buffer.from(Array.from({ length: 12 + prng.below(120) }, () => prng.below(256)))
      if (round % 4 > 0) header(keys[prng.below(keys.length)]!, prng.below(13)).copy(body)
      if (round % 4 > 1) body.writeInt16BE(-1, 8)
      socket.end(framed(body))
      await new Promise((resolve) => socket.on('close', resolve).resume())
    }
    expect(running.log.lines.filter(({ level }) => level === 'error')).toEqual([])
    const client = await running.client()
    expect((await client.ask('Metadata', 9, metadataRequest({ topics: [] }))).controllerId).toBe(7)
    expect(running.log.warnings().length).toBeLessThan(20)
  })

  it('a claimed size is not taken at its word', async () => {
    await start()
    const before = process.memoryUsage().arrayBuffers
    const clients = await Promise.all(Array.from({ length: 50 }, () => running.client()))
    for (const client of clients) client.socket.write(Buffer.concat([int32(100 << 20), Buffer.alloc(100)]))
    await later(100)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20)
  })

  it('half requests cannot keep whole ones from being served, and give way when others wait', async () => {
    await start({
      listener: {
        requestBytesMax: 1 << 20,
        assemblyBytesMax: 1 << 20,
        inFlightBytesMax: 2 << 20,
        inFlightBytesPerConnectionMax: 1 << 20,
        contendedArrivalMs: 200,
        stalledWriteMs: 400,
      },
    })
    running.broker.add('t')
    const hog = await running.client()
    hog.socket.write(Buffer.concat([int32(1 << 20), Buffer.alloc(100_000)]))
    await later(50)
    const small = await running.client()
    expect((await small.ask('Produce', 7, produceTo({ topic: 't', bytes: 100 }))).responses).toHaveLength(1)
    const large = await running.client()
    await large.ask('Produce', 7, produceTo({ topic: 't', bytes: 500_000 }))
    expect(hog.closed).toBe(true)
  })
})

describe('silence', () => {
  it('closes idle connections, half requests too, but not a waiting fetch', async () => {
    await start({ listener: { idleMs: 200 } })
    running.broker.add('t')
    const idle = await running.client()
    const half = await running.client()
    half.socket.write(int32(100))
    const trickling = await running.client()
    trickling.socket.write(int32(10_000))
    const drip = setInterval(() => trickling.socket.write(Buffer.alloc(1)), 30)
    const waiting = await running.client()
    const answer = waiting.ask('Fetch', 11, fetchFrom({ from: [['t', 0, 0]], maxWaitMs: 800 }))
    await Promise.all([idle.whenClosed, half.whenClosed, trickling.whenClosed])
    clearInterval(drip)
    expect(waiting.closed).toBe(false)
    expect((await answer).errorCode).toBe(0)
  })

  it('at the maximum a newcomer is refused while nobody is idle for long', async () => {
    await start({ listener: { connectionsMax: 2 } })
    await running.client()
    await running.client()
    const third = await running.client()
    await third.whenClosed
    expect(running.log.warnings()).toHaveLength(1)
  })
})

describe('a client that does not read', () => {
  it('is not read from any more, holds bounded memory, and goes when it takes nothing for too long', async () => {
    await start({ listener: { answerBytesPerConnectionMax: 1 << 20, stalledWriteMs: 600 } })
    running.broker.add('big')
    const writer = await running.client()
    await writer.ask('Produce', 7, produceTo({ topic: 'big', bytes: 900_000 }))
    const client = await running.client()
    client.socket.pause()
    const ask = fetchFrom({ from: [['big', 0, 0]] })
    const frames = Buffer.concat(Array.from({ length: 200 }, () => client.frame('Fetch', 11, ask)))
    client.socket.write(frames)
    await until(() => running.log.warnings().length > 0, 'the stalled client is noticed')
    expect(running.log.warnings()[0]!.message).toMatch(/does not read/)
    const held = running.front.metricSources().find(({ name }) => name === 'chronik_kafka_buffered_bytes')!
    expect([...held.collect()].every((sample) => 'value' in sample && sample.value === 0)).toBe(true)
  })

  it('never has more than the limit and a batch waiting for it', async () => {
    await start({ listener: { answerBytesPerConnectionMax: 1 << 20 } })
    running.broker.add('big')
    const writer = await running.client()
    await writer.ask('Produce', 7, produceTo({ topic: 'big', bytes: 900_000 }))
    const client = await running.client()
    client.socket.pause()
    for (let index = 0; index < 200; index += 1) client.send('Fetch', 11, fetchFrom({ from: [['big', 0, 0]] }))
    await later(300)
    const held = running.front.metricSources().find(({ name }) => name === 'chronik_kafka_buffered_bytes')!
    const answers = [...held.collect()].find(({ labels }) => labels[0] === 'answers')!
    expect('value' in answers && answers.value).toBeLessThan(3 << 20)
    // And once it reads, it gets everything.
    client.socket.resume()
    for (let index = 0; index < 200; index += 1) expect(await client.next()).toBeDefined()
  })
})

describe('ApiVersions', () => {
  it('in an unknown version is answered in version 0 with error 35 and the range that works', async () => {
    await start()
    const client = await running.client()
    client.socket.write(framed(Buffer.concat([header(ApiKey.ApiVersions, 77), Buffer.from([0, 4, 97, 98, 99, 0])])))
    const frame = Buffer.from((await client.nextFrame())!)
    expect(frame.readInt32BE(0)).toBe(77)
    expect(frame.readInt16BE(4)).toBe(ErrorCode.UNSUPPORTED_VERSION)
    expect(frame.readInt32BE(6)).toBe(1)
    expect([frame.readInt16BE(10), frame.readInt16BE(12), frame.readInt16BE(14)]).toEqual([ApiKey.ApiVersions, 0, 5])
    expect(frame.length).toBe(16)
    expect(client.closed).toBe(false)
  })

  it('names what is served in every version of its own, and a client must have a name', async () => {
    await start()
    const client = await running.client()
    for (let version = 0; version <= 5; version += 1) {
      const named = version >= 3 ? { clientSoftwareName: 'raw', clientSoftwareVersion: '1.0' } : {}
      const answer: ApiVersionsResponse = await client.ask('ApiVersions', version, apiVersionsRequest(named))
      expect(answer.errorCode).toBe(0)
      const produce = answer.apiKeys.find(({ apiKey }) => apiKey === ApiKey.Produce)!
      expect([produce.minVersion, produce.maxVersion]).toEqual([0, 13])
      expect(answer.apiKeys.some(({ apiKey }) => apiKey === ApiKey.CreateDelegationToken)).toBe(false)
    }
    const nameless = await client.ask(
      'ApiVersions',
      3,
      apiVersionsRequest({ clientSoftwareName: '', clientSoftwareVersion: '1' }),
    )
    expect(nameless.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })
})

describe('a stop', () => {
  it('answers what has been asked, waiting fetches at once, and then closes', async () => {
    await start()
    const { partitions } = running.broker.add('slow')
    partitions[0]!.held = []
    const producer = await running.client()
    producer.send('Produce', 7, produceTo({ topic: 'slow' }))
    const consumer = await running.client()
    consumer.send('Fetch', 11, fetchFrom({ from: [['slow', 0, 0]], maxWaitMs: 60_000 }))
    const idle = await running.client()
    await until(() => partitions[0]!.held!.length === 1, 'the produce has begun')
    const stopped = running.front.close()
    expect((await consumer.next())!.key).toBe(ApiKey.Fetch)
    await idle.whenClosed
    partitions[0]!.held[0]!()
    expect((await producer.next())!.key).toBe(ApiKey.Produce)
    await stopped
    await expect(running.client()).rejects.toThrow()
  })

  it('does not wait longer than it may', async () => {
    await start({ listener: { drainMs: 150 } })
    const { partitions } = running.broker.add('stuck')
    partitions[0]!.held = []
    const producer = await running.client()
    producer.send('Produce', 7, produceTo({ topic: 'stuck', timeoutMs: 60_000 }))
    await until(() => partitions[0]!.held!.length === 1, 'the produce has begun')
    const begunAt = Date.now()
    await running.front.close()
    expect(Date.now() - begunAt).toBeLessThan(1000)
  })
})
