// Owns the meters of one quota: one for each user and client id, as far as the quota tells them apart; which one a client is measured by;
// and forgetting those that nobody used for long. Not what a meter measures.

import type { Clock } from '../../base/clock.ts'
import type { ClientQuotaKey, ClientQuotas } from '../../broker/core/index.ts'
import type { QuotaLimits } from '../limits.ts'

export interface MeteredClient {
  readonly principal: { readonly name: string }
  readonly clientId: string | null
}

/** A quota and the meter of those who share it. */
export interface Metered<Meter> {
  readonly bound: number
  readonly meter: Meter
}

interface Used<Value> {
  readonly value: Value
  usedAtMs: number
}

interface Resolved<Meter> {
  readonly version: number
  readonly metered: (Metered<Meter> & { readonly used: Used<Meter> }) | undefined
}

export class QuotaMeters<Meter> {
  readonly #quotas: ClientQuotas
  readonly #key: ClientQuotaKey
  readonly #fresh: () => Meter
  readonly #limits: QuotaLimits
  readonly #clock: Clock
  /** By what the quota names. */
  readonly #meters = new Map<string, Used<Meter>>()
  /** By client, so that not every request looks through the levels of quotas. */
  readonly #clients = new Map<string, Used<Resolved<Meter>>>()
  #sweptAtMs = 0

  constructor(quotas: ClientQuotas, key: ClientQuotaKey, fresh: () => Meter, world: { limits: QuotaLimits; clock: Clock }) {
    this.#quotas = quotas
    this.#key = key
    this.#fresh = fresh
    this.#limits = world.limits
    this.#clock = world.clock
  }

  get count(): number {
    return this.#meters.size
  }

  /** Undefined: no quota holds for this client. */
  of({ principal, clientId }: MeteredClient): Metered<Meter> | undefined {
    if (!this.#quotas.isUsed(this.#key)) return undefined
    const nowMs = this.#clock.monotonicMs()
    // The length says where the name ends, whatever is in it.
    const at = `${principal.name.length}:${principal.name}${clientId ?? ''}`
    let client = this.#clients.get(at)
    if (client?.value.version !== this.#quotas.version) {
      client = { value: this.#resolve(principal.name, clientId ?? '', nowMs), usedAtMs: nowMs }
      this.#makeRoom(this.#clients, nowMs)
      this.#clients.set(at, client)
    }
    client.usedAtMs = nowMs
    const { metered } = client.value
    if (metered !== undefined) metered.used.usedAtMs = nowMs
    return metered
  }

  #resolve(user: string, clientId: string, nowMs: number): Resolved<Meter> {
    const { version } = this.#quotas
    const quota = this.#quotas.quotaOf(this.#key, user, clientId)
    if (quota === undefined) return { version, metered: undefined }
    const at = JSON.stringify([quota.user ?? null, quota.clientId ?? null])
    let used = this.#meters.get(at)
    if (used === undefined) {
      used = { value: this.#fresh(), usedAtMs: nowMs }
      this.#makeRoom(this.#meters, nowMs)
      this.#meters.set(at, used)
    }
    return { version, metered: { bound: quota.bound, meter: used.value, used } }
  }

  /** What is idle goes; and when all are busy the oldest, whose measure begins anew. */
  #makeRoom(map: Map<string, unknown>, nowMs: number): void {
    const { meterIdleMs, metersMax } = this.#limits
    if (nowMs - this.#sweptAtMs >= meterIdleMs / 4 || map.size >= metersMax) {
      this.#sweptAtMs = nowMs
      for (const all of [this.#meters, this.#clients])
        for (const [key, { usedAtMs }] of all) if (nowMs - usedAtMs >= meterIdleMs) all.delete(key)
    }
    while (map.size >= metersMax) map.delete(map.keys().next().value!)
  }
}
