// Owns the drill of sudden death on an intact disk: kill -9 at random moments under load, also during a start, then everything is
// read and judged. Nothing acknowledged may be lost, nothing may appear twice.

import { setTimeout as pause } from 'node:timers/promises'
import type { Prng } from '../../src/base/prng.ts'
import { type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { Committer, committedOffset, Load } from './support/load.ts'
import { createTopics } from './support/requests.ts'
import { Wire } from './support/wire.ts'
import { judgeAll, quickSettings, totalOf } from './support/world.ts'

export interface KillOrder {
  readonly times: number
  readonly prng: Prng
  readonly store?: BrokerStore
  readonly onKill?: (line: string) => void
}

export interface KillReport {
  readonly breaches: readonly string[]
  readonly kills: number
  /** Of these, so many before the broker was ready. */
  readonly killsInStart: number
  readonly acknowledged: number
  readonly found: number
  readonly unacknowledged: number
  readonly commits: number
  /** Batches whose answer was lost with the process. */
  readonly resent: number
  readonly restartMsMedian: number
  readonly restartMsMax: number
}

const lanes = [
  { lane: 'a', topic: 'plain', partition: 0 },
  { lane: 'b', topic: 'plain', partition: 0 },
  { lane: 'c', topic: 'plain', partition: 1 },
  { lane: 'd', topic: 'plain', partition: 2 },
  { lane: 'e', topic: 'sure', partition: 0 },
  { lane: 'f', topic: 'sure', partition: 1 },
]

export async function killDrill({ times, prng, store, onKill }: KillOrder): Promise<KillReport> {
  const broker = await startBroker({ extra: quickSettings, ...(store === undefined ? {} : { store }) })
  const restartMs: number[] = []
  let killsInStart = 0
  try {
    await createTopics(broker.kafkaPort, [
      { name: 'plain', partitions: 3, durability: 'quorum' },
      { name: 'sure', partitions: 2, durability: 'bucket' },
    ])
    const load = new Load({ port: broker.kafkaPort, lanes, prng })
    const committers = ['g1', 'g2', 'g3'].map((group) => new Committer(group, 'plain', () => load.port))
    for (let kill = 1; kill <= times && load.breaches.length === 0; kill += 1) {
      await load.more(1 + prng.below(200))
      await pause(prng.below(30))
      await broker.kill9()
      // Now and then a start is cut off, too.
      while (prng.below(6) === 0 && kill < times) {
        await broker.restart({ extra: quickSettings, dontWait: true })
        await pause(prng.below(700))
        await broker.kill9()
        kill += 1
        killsInStart += 1
      }
      await broker.restart({ extra: quickSettings })
      restartMs.push(broker.startMs())
      onKill?.(
        `${kill} of ${times} kills, ${load.acknowledged} records acknowledged, serving again in ${Math.round(broker.startMs())} ms`,
      )
    }
    await load.stop()
    for (const committer of committers) await committer.stop()
    const judgements = await judgeAll(broker.kafkaPort, load.lanes)
    const lost = judgements.flatMap((one) => one.lost)
    const wire = await Wire.connect(broker.kafkaPort)
    const offsets = await Promise.all(
      committers.map(async ({ group, acknowledged, sent }) => {
        const found = await committedOffset(wire, group, 'plain')
        return found !== undefined && found >= acknowledged && found <= sent ? [] : [`${group}: ${found} is committed at the end`]
      }),
    )
    wire.close()
    await broker.sigterm()
    const sorted = restartMs.sort((left, right) => left - right)
    return {
      breaches: [
        ...load.breaches,
        ...committers.flatMap((one) => one.breaches),
        ...offsets.flat(),
        ...judgements.flatMap((one) => one.breaches),
        ...lost.map((one) => `${one.lane}:${one.number} was acknowledged at ${one.offset} and is lost`),
      ],
      kills: times,
      killsInStart,
      ...totalOf(judgements),
      commits: committers.reduce((sum, one) => sum + one.acknowledged + 1, 0),
      resent: load.lanes.reduce((sum, lane) => sum + lane.resent, 0),
      restartMsMedian: sorted[Math.floor(sorted.length / 2)] ?? 0,
      restartMsMax: sorted.at(-1) ?? 0,
    }
  } finally {
    await broker.stop()
  }
}
