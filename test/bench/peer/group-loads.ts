/** Owns the loads of groups: a crowd whose members come and go, and many groups in which nothing happens. */
import { seededPrng } from '../../../src/base/prng.ts'
import { findCoordinatorRequest } from '../../../src/protocol/generated/find-coordinator.ts'
import { fetchPartition, fetchRequest, fetchTopic } from '../../../src/protocol/generated/fetch.ts'
import { heartbeatRequest } from '../../../src/protocol/generated/heartbeat.ts'
import { joinGroupRequest, joinGroupRequestProtocol } from '../../../src/protocol/generated/join-group.ts'
import { syncGroupRequest, syncGroupRequestAssignment } from '../../../src/protocol/generated/sync-group.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { waitUntil } from '../../../localstack/index.ts'
import { type GroupProtocol, rebalanceDrill } from '../../chaos/rebalance.ts'
import { Wire } from '../../chaos/support/wire.ts'
import type { Figures, Load, Scale } from './loads.ts'

export const groupLoads = (scale: Scale): Load[] => [
  rebalanceLoad('classic', scale),
  rebalanceLoad('consumer', scale),
  idleLoad(scale),
]

/** Each run has the same waves on both sides: who leaves is drawn from a seed of its name. */
const rebalanceLoad = (protocol: GroupProtocol, { rebalanceRounds }: Scale): Load => ({
  name: `groups rebalance, 50 members, 200 partitions, ${protocol} protocol`,
  bench: 'groups',
  peer: 'kafka',
  run: async ({ bootstrap }, runName) => {
    const prng = seededPrng([...runName].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2 ** 31, 7))
    const report = await rebalanceDrill({ bootstrap, protocol, times: rebalanceRounds, prng })
    if (report.breaches.length > 0) throw new Error(report.breaches.join('\n'))
    const means = Object.entries(report.settledMs).map(
      ([wave, took]) => [`${wave.replaceAll(/[ ,]+(\w)/g, (_, letter: string) => letter.toUpperCase())}Ms`, mean(took)] as const,
    )
    return { figures: { ...Object.fromEntries(means), seenAgain: report.seenAgain }, payloadBytes: 0 }
  },
})

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const groups = 1_000
/** The defaults of Kafka's consumer. */
const heartbeatMs = 3_000
const fetchWaitMs = 500
const topic = 'bench-idle'

/** One member each, that beats and asks for records nobody writes, as a consumer with its defaults does. */
const idleLoad = ({ idleSeconds }: Scale): Load => ({
  name: `groups idle, ${groups} of one member`,
  bench: 'groups',
  peer: 'kafka',
  prepare: (contestant) => contestant.createTopic(topic, 10),
  run: async ({ bootstrap }, runName) => {
    const port = Number(bootstrap.split(':')[1])
    const members: IdleMember[] = []
    try {
      for (let at = 0; at < groups; at += 50)
        members.push(
          ...(await Promise.all(Array.from({ length: 50 }, (_, next) => IdleMember.join(port, `${runName}-${at + next}`)))),
        )
      const beats: number[] = []
      const endMs = performance.now() + idleSeconds * 1_000
      await Promise.all(members.map((member) => member.idle(endMs, beats)))
      return { figures: beatFigures(beats), payloadBytes: 0 }
    } finally {
      for (const member of members) member.close()
    }
  },
})

function beatFigures(beats: number[]): Figures {
  beats.sort((left, right) => left - right)
  return {
    heartbeats: beats.length,
    heartbeatP50Ms: beats[beats.length >> 1]!,
    heartbeatP99Ms: beats[Math.floor(beats.length * 0.99)]!,
  }
}

/** The first question makes the topic of groups; its partition is loaded a moment later. */
const untilCoordinated = (wire: Wire, groupId: string): Promise<void> =>
  waitUntil(
    async () => {
      const found = await wire.ask('FindCoordinator', 2, findCoordinatorRequest({ key: groupId, keyType: 0 }))
      const beat = heartbeatRequest({ groupId, generationId: 0, memberId: 'nobody' })
      const { errorCode } = await wire.ask('Heartbeat', 3, beat)
      return found.errorCode === ErrorCode.NONE && errorCode === ErrorCode.UNKNOWN_MEMBER_ID
    },
    { until: `a coordinator of ${groupId}`, timeoutMs: 30_000, everyMs: 100 },
  )

class IdleMember {
  readonly #group: Wire
  readonly #records: Wire
  readonly #groupId: string
  readonly #memberId: string
  readonly #generationId: number

  private constructor(group: Wire, records: Wire, groupId: string, memberId: string, generationId: number) {
    this.#group = group
    this.#records = records
    this.#groupId = groupId
    this.#memberId = memberId
    this.#generationId = generationId
  }

  /** Two connections, as a consumer has one to its coordinator and one to each leader. */
  static async join(port: number, groupId: string): Promise<IdleMember> {
    const group = await Wire.connect(port)
    const records = await Wire.connect(port)
    const protocols = [joinGroupRequestProtocol({ name: 'range', metadata: new Uint8Array(0) })]
    const order = { groupId, sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 60_000, protocolType: 'consumer', protocols }
    await untilCoordinated(group, groupId)
    const { memberId: given } = await group.ask('JoinGroup', 5, joinGroupRequest({ ...order, memberId: '' }))
    const { memberId, generationId, errorCode } = await group.ask('JoinGroup', 5, joinGroupRequest({ ...order, memberId: given }))
    if (errorCode !== 0) throw new Error(`${groupId}: JoinGroup is answered with error ${errorCode}`)
    const assignments = [syncGroupRequestAssignment({ memberId, assignment: new Uint8Array(0) })]
    const synced = await group.ask('SyncGroup', 3, syncGroupRequest({ groupId, generationId, memberId, assignments }))
    if (synced.errorCode !== 0) throw new Error(`${groupId}: SyncGroup is answered with error ${synced.errorCode}`)
    return new IdleMember(group, records, groupId, memberId, generationId)
  }

  async idle(endMs: number, beats: number[]): Promise<void> {
    await Promise.all([this.#beat(endMs, beats), this.#ask(endMs)])
  }

  close(): void {
    this.#group.close()
    this.#records.close()
  }

  async #beat(endMs: number, beats: number[]): Promise<void> {
    const request = heartbeatRequest({ groupId: this.#groupId, generationId: this.#generationId, memberId: this.#memberId })
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      const { errorCode } = await this.#group.ask('Heartbeat', 3, request)
      if (errorCode !== 0) throw new Error(`${this.#groupId}: Heartbeat is answered with error ${errorCode}`)
      beats.push(performance.now() - startedMs)
      await new Promise((resolve) => setTimeout(resolve, Math.min(heartbeatMs, endMs - performance.now())))
    }
  }

  async #ask(endMs: number): Promise<void> {
    const partitions = [
      fetchPartition({ partition: Number(this.#groupId.split('-').at(-1)) % 10, fetchOffset: 0n, partitionMaxBytes: 1 << 20 }),
    ]
    const topics = [fetchTopic({ topic, partitions })]
    const request = fetchRequest({ maxWaitMs: fetchWaitMs, minBytes: 1, maxBytes: 50 << 20, topics })
    while (performance.now() < endMs) await this.#records.ask('Fetch', 11, request)
  }
}
