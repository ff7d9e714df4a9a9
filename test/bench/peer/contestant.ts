/** Owns starting what is compared: our broker and Apache Kafka, behind one face, on folders the bench chooses and removes. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startBroker } from '../../support/tools/broker.ts'
import { startApacheKafka } from '../../support/tools/kafka.ts'
import { createTopic } from '../../support/tools/topic.ts'

export type Kind = 'chronik' | 'kafka' | 'kafka-fsync'

export interface Contestant {
  readonly kind: Kind
  readonly bootstrap: string
  readonly startMs: number
  pid(): number
  createTopic(topic: string, partitions: number): Promise<void>
  stop(): Promise<void>
}

export interface Ground {
  /** Both brokers' disks are here. */
  readonly diskDir: string
  /** Our bucket as a folder. */
  readonly bucketDir: string
  /** More arguments of `chronik start`. */
  readonly chronikArgs: readonly string[]
}

/** The peer is started with `group.initial.rebalance.delay.ms=0`: a consumer's rate must not tell of a configured wait. */
const sameAsPeer = ['--groups-initial-rebalance-delay-ms', '0']

/** `seat` keeps two contestants of one kind apart; the same seat again finds its data again, unless it was cleared. */
export async function enter(kind: Kind, seat: string, ground: Ground): Promise<Contestant> {
  const dir = join(ground.diskDir, seat)
  if (kind === 'chronik') {
    const store = { kind: 'local' as const, dir: join(ground.bucketDir, seat) }
    const extra = [...sameAsPeer, ...ground.chronikArgs]
    const broker = await startBroker({ dir, store, extra })
    const { bootstrap } = broker
    return { kind, bootstrap, startMs: broker.startMs(), pid: () => broker.pid(), stop: () => broker.stop(), ...admin(bootstrap) }
  }
  const overrides: Record<string, string> = kind === 'kafka-fsync' ? { 'log.flush.interval.messages': '1' } : {}
  const kafka = await startApacheKafka({ dir, overrides })
  const { bootstrap, startMs } = kafka
  return { kind, bootstrap, startMs, pid: () => kafka.pid, stop: () => kafka.stop(), ...admin(bootstrap) }
}

export function clear(seat: string, ground: Ground): void {
  for (const folder of [ground.diskDir, ground.bucketDir]) rmSync(join(folder, seat), { recursive: true, force: true })
}

const admin = (bootstrap: string): Pick<Contestant, 'createTopic'> => ({
  createTopic: (topic, partitions) => createTopic(bootstrap, topic, partitions),
})
