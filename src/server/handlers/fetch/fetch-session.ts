// Owns incremental fetch sessions (KIP-227): their cache, their epochs, what a session covers. Not the fetching itself.
//
//   session id  epoch   means
//   0           0       full fetch, open a session          any   −1   full fetch without a session, close the one named
//   n           0       full fetch, replace session n       n     m    incremental: only what changed, both ways

import type { Clock } from '../../../base/clock.ts'
import type { Prng } from '../../../base/prng.ts'
import { ErrorCode } from '../../../protocol/index.ts'
import type { FetchRequest, FetchTopic, ForgottenTopic } from '../../../protocol/generated/fetch.ts'
import type { FetchLimits } from '../../limits.ts'
import { FetchTarget, targetsOf } from './fetch-target.ts'

const noSession = 0
const firstEpoch = 0
const finalEpoch = -1
const epochMax = 0x7fffffff
const topicIdsFrom = 13

const nextEpoch = (epoch: number): number => (epoch === epochMax ? 1 : epoch + 1)

export class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  /** The epoch the next request must carry. */
  epoch = 1
  usedAtMs: number
  /** In the order partitions are served; who got bytes goes to the end. */
  readonly targets = new Set<FetchTarget>()
  readonly #byTopic = new Map<string, Map<number, FetchTarget>>()

  constructor(id: number, usesTopicIds: boolean, nowMs: number) {
    this.id = id
    this.usesTopicIds = usesTopicIds
    this.usedAtMs = nowMs
  }

  update(topics: readonly FetchTopic[], forgotten: readonly ForgottenTopic[]): void {
    for (const topic of topics) {
      const partitions = this.#partitionsOf(topic)
      for (const wanted of topic.partitions) {
        let target = partitions.get(wanted.partition)
        if (target === undefined) {
          target = new FetchTarget(topic, wanted.partition)
          partitions.set(wanted.partition, target)
          this.targets.add(target)
        }
        target.update(wanted)
      }
    }
    for (const topic of forgotten) this.#forget(topic)
  }

  served(target: FetchTarget): void {
    if (this.targets.delete(target)) this.targets.add(target)
  }

  #keyOf(topic: { readonly topic: string; readonly topicId: string }): string {
    return this.usesTopicIds ? topic.topicId : topic.topic
  }

  #partitionsOf(topic: FetchTopic): Map<number, FetchTarget> {
    const key = this.#keyOf(topic)
    let partitions = this.#byTopic.get(key)
    if (partitions === undefined) {
      partitions = new Map()
      this.#byTopic.set(key, partitions)
    }
    return partitions
  }

  #forget(topic: ForgottenTopic): void {
    const key = this.#keyOf(topic)
    const partitions = this.#byTopic.get(key)
    if (partitions === undefined) return
    for (const index of topic.partitions) {
      const target = partitions.get(index)
      if (target !== undefined) this.targets.delete(target)
      partitions.delete(index)
    }
    if (partitions.size === 0) this.#byTopic.delete(key)
  }
}

/** What one request is to fetch, and under which session its answer goes out. */
export type FetchScope =
  | { readonly kind: 'refused'; readonly errorCode: number }
  | {
      readonly kind: 'full' | 'incremental'
      readonly targets: readonly FetchTarget[]
      readonly session: FetchSession | undefined
      /** The session's epoch while this request is the newest of it. */
      readonly epoch: number
    }

export class FetchSessions {
  readonly #limits: FetchLimits
  readonly #clock: Clock
  readonly #prng: Prng
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()
  #partitions = 0
  evictions = 0

  constructor(limits: FetchLimits, clock: Clock, prng: Prng) {
    this.#limits = limits
    this.#clock = clock
    this.#prng = prng
  }

  get count(): number {
    return this.#sessions.size
  }

  get partitionCount(): number {
    return this.#partitions
  }

  scopeOf(request: FetchRequest, version: number): FetchScope {
    const { sessionId, sessionEpoch } = request
    const full = sessionEpoch === firstEpoch || sessionEpoch === finalEpoch
    if (!full) return this.#incremental(request, version)
    if (sessionId !== noSession) this.#drop(sessionId)
    if (sessionEpoch === finalEpoch)
      return { kind: 'full', targets: targetsOf(request.topics), session: undefined, epoch: finalEpoch }
    const session = this.#open(request, version)
    const targets = session === undefined ? targetsOf(request.topics) : [...session.targets]
    return { kind: 'full', targets, session, epoch: session?.epoch ?? finalEpoch }
  }

  /** Its answer brings nothing, not even the session: the client asks anew. */
  abandon({ id }: FetchSession): void {
    this.#drop(id)
  }

  #incremental(request: FetchRequest, version: number): FetchScope {
    const session = this.#sessions.get(request.sessionId)
    if (session === undefined) return { kind: 'refused', errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND }
    if (session.epoch !== request.sessionEpoch) return { kind: 'refused', errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH }
    if (session.usesTopicIds !== version >= topicIdsFrom)
      return { kind: 'refused', errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR }
    const before = session.targets.size
    session.update(request.topics, request.forgottenTopicsData)
    this.#partitions += session.targets.size - before
    session.epoch = nextEpoch(session.epoch)
    session.usedAtMs = this.#clock.monotonicMs()
    const targets = [...session.targets]
    const { epoch } = session
    // Nothing left to fetch, or more than we care to remember: this answer is the session's last.
    if (targets.length === 0 || targets.length > this.#limits.partitionsPerSessionMax) {
      this.#drop(session.id)
      return {
        kind: targets.length === 0 ? 'full' : 'incremental',
        targets,
        session: targets.length === 0 ? undefined : session,
        epoch,
      }
    }
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    return { kind: 'incremental', targets, session, epoch }
  }

  #open(request: FetchRequest, version: number): FetchSession | undefined {
    let wanted = 0
    for (const { partitions } of request.topics) wanted += partitions.length
    if (wanted === 0 || wanted > this.#limits.partitionsPerSessionMax || !this.#makeRoom(wanted)) return undefined
    let id = noSession
    while (id === noSession || this.#sessions.has(id)) id = 1 + this.#prng.below(0x7ffffffe)
    const session = new FetchSession(id, version >= topicIdsFrom, this.#clock.monotonicMs())
    session.update(request.topics, [])
    this.#sessions.set(id, session)
    this.#partitions += session.targets.size
    return session
  }

  #makeRoom(partitions: number): boolean {
    const { sessionsMax, sessionPartitionsMax, sessionEvictionMs } = this.#limits
    const before = this.#clock.monotonicMs() - sessionEvictionMs
    for (const session of this.#sessions.values()) {
      if (this.#sessions.size < sessionsMax && this.#partitions + partitions <= sessionPartitionsMax) return true
      if (session.usedAtMs > before) return false
      this.#drop(session.id)
      this.evictions += 1
    }
    return this.#sessions.size < sessionsMax && this.#partitions + partitions <= sessionPartitionsMax
  }

  #drop(id: number): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    this.#partitions -= session.targets.size
  }
}
