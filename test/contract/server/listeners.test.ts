// Owns the claims about several listeners: each tells its own clients its own address, and what cannot be listened on ends the start.

import { afterEach, expect, test } from 'vitest'
import { describeClusterRequest } from '../../../src/protocol/generated/describe-cluster.ts'
import { findCoordinatorRequest } from '../../../src/protocol/generated/find-coordinator.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import type { ListenerPlan } from '../../../src/server/index.ts'
import { RawClient } from './support/raw-client.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

const listen = { host: '127.0.0.1', port: 0 }
const listeners: readonly ListenerPlan[] = [
  { name: 'INTERNAL', protocol: 'PLAINTEXT', listen },
  { name: 'EXTERNAL', protocol: 'PLAINTEXT', listen, advertised: { host: 'broker.example', port: 9443 } },
]

test('clients are told the address of the listener they came in by, by every API that tells one', async () => {
  running = await startFront({ settings: { listeners } })
  const expected = [
    { host: '127.0.0.1', port: running.ports[0] },
    { host: 'broker.example', port: 9443 },
  ]
  for (const [at, port] of running.ports.entries()) {
    const client = await RawClient.connect(port)
    const { brokers } = await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
    expect(brokers[0]).toMatchObject(expected[at]!)
    const found = await client.ask('FindCoordinator', 4, findCoordinatorRequest({ coordinatorKeys: ['a', 'b'] }))
    for (const coordinator of found.coordinators) expect(coordinator).toMatchObject(expected[at]!)
    const older = await client.ask('FindCoordinator', 2, findCoordinatorRequest({ key: 'a' }))
    expect(older).toMatchObject(expected[at]!)
    const cluster = await client.ask('DescribeCluster', 1, describeClusterRequest({ endpointType: 1 }))
    expect(cluster.brokers[0]).toMatchObject(expected[at]!)
    client.close()
  }
})

test('all listeners share one maximum of connections', async () => {
  running = await startFront({ settings: { listeners }, listener: { connectionsMax: 2 } })
  const first = await RawClient.connect(running.ports[0]!)
  const second = await RawClient.connect(running.ports[1]!)
  await first.ask('Metadata', 12, metadataRequest({ topics: [] }))
  await second.ask('Metadata', 12, metadataRequest({ topics: [] }))
  const third = await RawClient.connect(running.ports[0]!)
  await third.whenClosed
  first.close()
  second.close()
})

test('a port that is taken ends the start and names the listener', async () => {
  running = await startFront()
  const taken = { host: '127.0.0.1', port: running.port }
  const other = startFront({
    settings: { listeners: [listeners[0]!, { name: 'EXTERNAL', protocol: 'PLAINTEXT', listen: taken }] },
  })
  await expect(other).rejects.toThrow(/Cannot listen on 127\.0\.0\.1:\d+ \(listener EXTERNAL\).*EADDRINUSE/)
})
