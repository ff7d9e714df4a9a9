// Owns the drill of the node that was only asleep: SIGSTOP under load, another life on the same bucket, SIGCONT. The old process
// acknowledges nothing more, deletes nothing, and ends saying why; the new life is none the worse.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { tail } from '../../localstack/index.ts'
import type { Prng } from '../../src/base/prng.ts'
import { type Broker, type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { ErrorCode } from '../../src/protocol/index.ts'
import { type Lane, Load } from './support/load.ts'
import { valueOf } from './support/ledger.ts'
import { batchOf, createTopics, produce, send } from './support/requests.ts'
import { Wire } from './support/wire.ts'
import { judgeAll, quickSettings, scratchFolder, totalOf } from './support/world.ts'

export interface ZombieOrder {
  readonly times: number
  readonly prng: Prng
  /**
   * A folder when absent. A process that is stopped while it holds a folder's lock holds up every other until it goes on or is killed, one
   * in some thirty: an S3 knows no such thing.
   */
  readonly store?: BrokerStore
  readonly onZombie?: (line: string) => void
}

export interface ZombieReport {
  readonly breaches: readonly string[]
  readonly zombies: number
  readonly bySilence: number
  readonly acknowledged: number
  readonly found: number
  readonly unacknowledged: number
  readonly lostQuorum: number
  readonly lostBeforeStopMsMax: number
  /** From SIGCONT to the zombie's end. */
  readonly endMsMax: number
  /** Requests that were sent to zombies after they woke, none of which may be acknowledged. */
  readonly asked: number
}

const lanes = [
  { lane: 'a', topic: 'plain', partition: 0 },
  { lane: 'b', topic: 'plain', partition: 1 },
  { lane: 'c', topic: 'sure', partition: 0 },
  { lane: 'd', topic: 'sure', partition: 1 },
]

const endMsMax = 30_000
const settings = [...quickSettings, '--stream-heartbeat-ms', '500']

const isJudged = (key: string): boolean => /^(wal|metadata|snapshots|segments|cluster)\//.test(key)

/** Key and digest of every object but the heartbeats, which are overwritten. */
async function objectsOf(store: BrokerStore): Promise<ReadonlyMap<string, string>> {
  const objects = new Map<string, string>()
  if (store.kind === 's3') {
    const { ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3')
    const credentials = { accessKeyId: store.accessKey, secretAccessKey: store.secretKey }
    const s3 = new S3Client({ endpoint: store.endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    let token: string | undefined
    do {
      const page = await s3.send(new ListObjectsV2Command({ Bucket: store.bucket, ContinuationToken: token }))
      for (const { Key = '', ETag = '' } of page.Contents ?? []) if (isJudged(Key)) objects.set(Key, ETag)
      token = page.NextContinuationToken
    } while (token !== undefined)
    s3.destroy()
    return objects
  }
  for (const entry of readdirSync(store.dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const key = path.slice(store.dir.length + 1)
    if (!isJudged(key)) continue
    try {
      objects.set(key, createHash('sha256').update(readFileSync(path)).digest('hex'))
    } catch (error) {
      // Deleted between listing and reading: an object that was gone before cannot be missed later.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return objects
}

/** What a client that knows nothing of the new life would try on the old process. Resolves with what it was told. */
async function pester(zombie: Broker, lane: Lane): Promise<readonly string[]> {
  const told: string[] = []
  const producer = lane.producer ?? { producerId: -1, producerEpoch: -1 }
  const first = [...lane.acknowledged.keys()][0] ?? 0
  const timestampMs = Date.now()
  const fresh = batchOf({ values: [valueOf(lane.lane, 1e6)], timestampMs, producerId: -1, producerEpoch: -1, baseSequence: -1 })
  const repeated = batchOf({ values: [valueOf(lane.lane, first)], timestampMs, ...producer, baseSequence: 0 })
  try {
    const wire = await Wire.connect(zombie.kafkaPort)
    const asked = [fresh, repeated, fresh].map((records) =>
      send(wire, produce(lane.topic, lane.partition, records)).then(
        ({ errorCode }) => told.push(errorCode === ErrorCode.NONE ? 'acknowledged' : 'refused'),
        () => told.push('closed'),
      ),
    )
    await Promise.race([Promise.all(asked), zombie.exited().then(() => pause(50))])
    wire.close()
  } catch {
    told.push('closed')
  }
  return told
}

export async function zombieDrill({ times, prng, store: given, onZombie }: ZombieOrder): Promise<ZombieReport> {
  const scratch = scratchFolder()
  const store: BrokerStore = given ?? { kind: 'local', dir: join(scratch.dir, 'bucket') }
  const breaches: string[] = []
  const stops: Array<{ readonly stoppedMs: number; readonly movedMs: number }> = []
  const endMs: number[] = []
  let asked = 0
  let bySilence = 0
  const disk = (life: number): string => join(scratch.dir, `disk-${life}`)
  let living = await startBroker({ dir: disk(0), store, extra: settings })
  try {
    await createTopics(living.kafkaPort, [
      { name: 'plain', partitions: 2, durability: 'quorum' },
      { name: 'sure', partitions: 2, durability: 'bucket' },
    ])
    const load = new Load({ port: living.kafkaPort, lanes, prng, mayLose: true })
    for (let round = 1; round <= times && load.breaches.length === 0; round += 1) {
      await load.more(50 + prng.below(200))
      await pause(prng.below(50))
      const zombie = living
      zombie.sigstop()
      const stoppedMs = performance.now()
      const silence = round % 2 === 0
      if (silence) bySilence += 1
      living = await startBroker({ dir: disk(round), store, extra: silence ? settings : [...settings, '--takeover', 'true'] })
      // What was answered before the stop lay in this process's sockets and has been told long since.
      stops.push({ stoppedMs, movedMs: performance.now() })
      load.move(living.kafkaPort)
      await load.more(20 + prng.below(100))
      const before = await objectsOf(store)
      const lateBefore = load.lanes.reduce((sum, lane) => sum + lane.late.length, 0)
      const wokenMs = performance.now()
      zombie.sigcont()
      const told = (await Promise.all(load.lanes.map((lane) => pester(zombie, lane)))).flat()
      asked += told.length
      if (told.includes('acknowledged')) breaches.push(`round ${round}: the zombie acknowledged what it was asked after it woke`)
      const ended = await Promise.race([zombie.exited().then(() => true), pause(endMsMax, false)])
      if (!ended) throw new Error(`the zombie had not ended ${endMsMax} ms after it woke\n${tail(zombie.logs())}`)
      endMs.push(performance.now() - wokenMs)
      const late = load.lanes.reduce((sum, lane) => sum + lane.late.length, 0) - lateBefore
      if (late > 0)
        breaches.push(`round ${round}: the zombie acknowledged ${late} batches that were under way when it was stopped`)
      const exit = await zombie.exited()
      if (exit.code === 0 || exit.code === null)
        breaches.push(`round ${round}: the zombie ended with ${exit.code ?? exit.signal}`)
      if (!/fence of life \d+|another writer put there/.test(zombie.logs()))
        breaches.push(`round ${round}: the zombie did not say why it ended`)
      // What the new life deletes meanwhile is its own affair: only what the old life wrote counts.
      const after = await objectsOf(store)
      const lifeOf = (key: string): number => Number(/\/(\d{10})\//.exec(key)?.[1] ?? -1)
      for (const [key, digest] of before) {
        if (lifeOf(key) !== round) continue
        if (after.get(key) !== digest)
          breaches.push(`round ${round}: ${key} of the old life was ${after.has(key) ? 'changed' : 'deleted'}`)
      }
      await zombie.stop()
      onZombie?.(
        `${round} of ${times} zombies, ended ${Math.round(endMs.at(-1) ?? 0)} ms after it woke, ${told.length} requests refused`,
      )
    }
    await load.stop()
    const judgements = await judgeAll(living.kafkaPort, load.lanes)
    const lost = judgements.flatMap((one) => one.lost)
    const lostSure = lost.filter(({ lane }) => load.lanes.find((one) => one.lane === lane)?.topic === 'sure')
    const lostPlain = lost.filter((one) => !lostSure.includes(one))
    const ages = lostPlain.map(({ atMs }) => (stops.find(({ movedMs }) => movedMs >= atMs)?.stoppedMs ?? Infinity) - atMs)
    return {
      breaches: [
        ...breaches,
        ...load.breaches,
        ...judgements.flatMap((one) => one.breaches),
        ...lostSure.map((one) => `${one.lane}:${one.number} of a bucket-durable topic was acknowledged and is lost`),
      ],
      zombies: times,
      bySilence,
      ...totalOf(judgements),
      lostQuorum: lostPlain.length,
      lostBeforeStopMsMax: Math.max(0, ...ages),
      endMsMax: Math.max(0, ...endMs),
      asked,
    }
  } finally {
    await living.stop()
    scratch.remove()
  }
}
