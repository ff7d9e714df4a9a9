// Owns the drill of a lost disk: kill -9 and an empty disk at random moments, cold start from the bucket. Topics with `bucket`
// durability lose nothing; what `quorum` topics lose was acknowledged in the last moment before the kill, and that moment is measured.

import { setTimeout as pause } from 'node:timers/promises'
import type { Prng } from '../../src/base/prng.ts'
import { type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { Load } from './support/load.ts'
import { createTopics } from './support/requests.ts'
import { judgeAll, metric, quickSettings, totalOf } from './support/world.ts'

export interface WipeOrder {
  readonly times: number
  readonly prng: Prng
  readonly store?: BrokerStore
  /** No topic with `bucket` durability hurries the stream. */
  readonly quorumAlone?: boolean
  readonly onWipe?: (line: string) => void
}

export interface WipeReport {
  readonly breaches: readonly string[]
  readonly wipes: number
  readonly acknowledged: number
  readonly found: number
  readonly unacknowledged: number
  /** Acknowledged by `quorum` topics and gone. */
  readonly lostQuorum: number
  /** The longest time between an acknowledgement that was lost and the kill that lost it. */
  readonly lostBeforeKillMsMax: number
  /** What `chronik_stream_behind_seconds` said right before a kill, at most: uploads take their time on a busy machine. */
  readonly behindMsMax: number
  readonly coldStartMsMedian: number
  readonly coldStartMsMax: number
  readonly statements: number
}

const lanes = [
  { lane: 'a', topic: 'plain', partition: 0 },
  { lane: 'b', topic: 'plain', partition: 1 },
  { lane: 'c', topic: 'sure', partition: 0 },
  { lane: 'd', topic: 'sure', partition: 0 },
  { lane: 'e', topic: 'sure', partition: 1 },
]

/** What the dead had answered lies in this process's sockets for a moment; the next process needs longer than that to start. */
const socketsMs = 100

/** Between an acknowledgement on its way and this process seeing it, and the age of the entry itself. */
const tellingMs = 250

const settings = [...quickSettings, '--takeover', 'true']

export async function wipeDrill({ times, prng, store, quorumAlone = false, onWipe }: WipeOrder): Promise<WipeReport> {
  const broker = await startBroker({ extra: settings, ...(store === undefined ? {} : { store }) })
  const coldStartMs: number[] = []
  const kills: Array<{ readonly atMs: number; readonly behindMs: number }> = []
  try {
    await createTopics(broker.kafkaPort, [
      { name: 'plain', partitions: 2, durability: 'quorum' },
      { name: 'sure', partitions: 2, durability: 'bucket' },
    ])
    const load = new Load({
      port: broker.kafkaPort,
      lanes: lanes.filter(({ topic }) => !quorumAlone || topic === 'plain'),
      prng,
      mayLose: true,
    })
    for (let wipe = 1; wipe <= times && load.breaches.length === 0; wipe += 1) {
      await load.more(1 + prng.below(400))
      await pause(prng.below(1_200))
      // The operator's own measure of what a death would cost now: nothing older may be lost.
      const askedMs = performance.now()
      const behindMs = 1_000 * ((await metric(broker, 'chronik_stream_behind_seconds')) ?? 0)
      await broker.kill9()
      kills.push({ atMs: performance.now(), behindMs: behindMs + performance.now() - askedMs })
      broker.wipeDisk()
      await broker.restart({ extra: settings })
      coldStartMs.push(broker.startMs())
      onWipe?.(
        `${wipe} of ${times} disks lost, ${load.acknowledged} records acknowledged, serving again in ${Math.round(broker.startMs())} ms`,
      )
    }
    await load.stop()
    const judgements = await judgeAll(broker.kafkaPort, load.lanes)
    const lost = judgements.flatMap((one) => one.lost)
    const lostSure = lost.filter(({ lane }) => load.lanes.find((one) => one.lane === lane)?.topic === 'sure')
    const lostPlain = lost.filter((one) => !lostSure.includes(one))
    const ages = lostPlain.map(({ atMs }) => {
      const kill = kills.find((one) => one.atMs + socketsMs >= atMs)
      return { ageMs: Math.max(0, (kill?.atMs ?? Infinity) - atMs), behindMs: kill?.behindMs ?? 0 }
    })
    const statements = broker.logs().split('topics with quorum durability may lack').length - 1
    await broker.sigterm()
    const sorted = coldStartMs.sort((left, right) => left - right)
    return {
      breaches: [
        ...load.breaches,
        ...judgements.flatMap((one) => one.breaches),
        ...ages
          .filter(({ ageMs, behindMs }) => ageMs > behindMs + tellingMs)
          .map(
            ({ ageMs, behindMs }) =>
              `acknowledged ${ageMs} ms before a kill and lost, though the stream was ${behindMs} ms behind`,
          ),
        ...lostSure.map((one) => `${one.lane}:${one.number} of a bucket-durable topic was acknowledged and is lost`),
      ],
      wipes: times,
      ...totalOf(judgements),
      lostQuorum: lostPlain.length,
      lostBeforeKillMsMax: Math.max(0, ...ages.map(({ ageMs }) => ageMs)),
      behindMsMax: Math.max(0, ...kills.map(({ behindMs }) => behindMs)),
      coldStartMsMedian: sorted[Math.floor(sorted.length / 2)] ?? 0,
      coldStartMsMax: sorted.at(-1) ?? 0,
      statements,
    }
  } finally {
    await broker.stop()
  }
}
