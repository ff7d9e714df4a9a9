/** Who may take a bucket: one at a time, the living not without being told to. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { type Broker, type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { valueOf } from './support/ledger.ts'
import { batchOf, createTopics, produce, readPartition, send } from './support/requests.ts'
import { Wire } from './support/wire.ts'
import { quickSettings, scratchFolder } from './support/world.ts'

const settings = [...quickSettings, '--stream-heartbeat-ms', '500']
const worldFailed = 3

async function store(broker: Broker, number: number): Promise<void> {
  const wire = await Wire.connect(broker.kafkaPort)
  const records = batchOf({
    values: [valueOf('x', number)],
    timestampMs: 1_000,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
  })
  expect(await send(wire, produce('kept', 0, records))).toEqual({ errorCode: 0, baseOffset: number })
  wire.close()
}

async function stored(broker: Broker): Promise<number> {
  const wire = await Wire.connect(broker.kafkaPort)
  const { records } = await readPartition(wire, 'kept', 0)
  wire.close()
  records.forEach(({ value }, number) => expect(value).toEqual(valueOf('x', number)))
  return records.length
}

it(
  'a life that breathes is not taken without --takeover, and is taken by waiting once it is dead',
  { timeout: 120_000 },
  async () => {
    const scratch = scratchFolder()
    const bucket: BrokerStore = { kind: 'local', dir: join(scratch.dir, 'bucket') }
    const living = await startBroker({ store: bucket, extra: settings })
    const other = await startBroker({ store: bucket, dir: join(scratch.dir, 'other'), extra: settings, dontWait: true })
    try {
      await createTopics(living.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'bucket' }])
      await store(living, 0)
      expect((await other.exited()).code).toBe(worldFailed)
      expect(other.logs()).toMatch(/node 1 of life 1 is alive on .*; stop it, or start with --takeover/)
      await store(living, 1)
      await living.kill9()
      await other.restart({ extra: settings })
      expect(other.logs()).toMatch(/cold-start of cluster .*life 2 from life 1/)
      expect(await stored(other)).toBe(2)
      await store(other, 2)
    } finally {
      await living.stop()
      await other.stop()
      scratch.remove()
    }
  },
)

it('an idle node whose life was taken ends by itself, within a few heartbeats', { timeout: 120_000 }, async () => {
  const scratch = scratchFolder()
  const bucket: BrokerStore = { kind: 'local', dir: join(scratch.dir, 'bucket') }
  const idle = await startBroker({ store: bucket, extra: settings })
  const heir = await startBroker({
    store: bucket,
    dir: join(scratch.dir, 'heir'),
    extra: [...settings, '--takeover', 'true'],
  })
  try {
    expect((await idle.exited()).code).toBe(worldFailed)
    expect(idle.logs()).toMatch(/FENCED.*holds the fence of life 2/)
    await createTopics(heir.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'bucket' }])
    await store(heir, 0)
  } finally {
    await idle.stop()
    await heir.stop()
    scratch.remove()
  }
})

/** Starts two at the same moment; answers the one that serves, after the other has said why it does not. */
async function race(bucket: BrokerStore, dirs: readonly string[]): Promise<Broker> {
  const racers = await Promise.all(dirs.map((dir) => startBroker({ store: bucket, dir, extra: settings, dontWait: true })))
  const exits = new Map<Broker, number | null>()
  const ready = new Set<Broker>()
  for (const racer of racers) {
    void racer.exited().then(({ code }) => exits.set(racer, code))
    racer.waitReady(60_000).then(
      () => ready.add(racer),
      () => undefined,
    )
  }
  try {
    await waitUntil(() => exits.size === 1 && [...ready].some((one) => !exits.has(one)), {
      until: 'one of two to serve and the other to end',
      timeoutMs: 60_000,
    })
  } catch (error) {
    const told = racers.map((one) => `ended with ${String(exits.get(one))}:\n${one.logs()}`)
    throw new Error(told.join('\n'), { cause: error })
  }
  const [loser] = [...exits.keys()]
  expect(exits.get(loser!)).toBe(worldFailed)
  expect(loser!.logs()).toMatch(/LIFE_TAKEN|LIFE_BREATHES|LIFE_ENDED|FENCED|STREAM_ENDED/)
  await loser!.stop()
  return racers.find((one) => one !== loser)!
}

it('of two nodes that start at the same moment exactly one serves and the other says why', { timeout: 180_000 }, async () => {
  const scratch = scratchFolder()
  const bucket: BrokerStore = { kind: 'local', dir: join(scratch.dir, 'bucket') }
  try {
    const first = await race(bucket, [join(scratch.dir, 'a'), join(scratch.dir, 'b')])
    await createTopics(first.kafkaPort, [{ name: 'kept', partitions: 1, durability: 'bucket' }])
    await store(first, 0)
    await first.kill9()
    const second = await race(bucket, [join(scratch.dir, 'c'), join(scratch.dir, 'd')])
    expect(await stored(second)).toBe(1)
    await store(second, 1)
    await first.stop()
    await second.stop()
  } finally {
    scratch.remove()
  }
})
