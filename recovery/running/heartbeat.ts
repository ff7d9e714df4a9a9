// Owns the sign of life in the bucket, finding out that another life has begun, and taking the sign back at an orderly stop. Not what
// others conclude from it (pipeline.ts).

import type { Cancel, Clock } from '../../src/base/clock.ts'
import type { Log } from '../../src/base/log.ts'
import { isOpError } from '../../src/base/op-error.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { writeHeartbeat } from '../lives.ts'

export interface HeartbeatOptions {
  readonly store: ObjectStore
  readonly life: number
  readonly node: number
  readonly intervalMs: number
  readonly clock: Clock
  readonly log: Log
  /** Finds out whether another life has begun, should this node be too idle to meet its fence; whoever is to know is told by it. */
  readonly look: () => Promise<void>
}

export class Heartbeat {
  readonly #options: HeartbeatOptions
  #cancel: Cancel | undefined
  #writing: Promise<void> = Promise.resolve()
  #looking: Promise<void> | undefined
  #stopped = false
  failures = 0
  lastSuccessMs = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /** Resolves when the first one is written. */
  async start(): Promise<void> {
    await this.#write('serving')
    this.#schedule()
  }

  /** Says that this life stopped in order: the next need not wait. */
  async close(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await Promise.all([this.#writing, this.#looking])
    await this.#write('closed')
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#writing = this.#write('serving').then(() => {
        this.#schedule()
      })
      // Apart from the writing: an answer that is long in coming must not keep the next sign of life back.
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined
      })
    })
  }

  async #look(): Promise<void> {
    const { look, log } = this.#options
    try {
      await look()
    } catch (error) {
      if (!isOpError(error)) throw error
      log.warn('the bucket did not tell whether another life has begun', { code: error.code, detail: error.detail })
    }
  }

  async #write(state: 'serving' | 'closed'): Promise<void> {
    const { store, life, node, intervalMs, clock, log } = this.#options
    try {
      await writeHeartbeat(store, { life, node, state, intervalMs, writtenAtMs: clock.nowMs() })
      this.lastSuccessMs = clock.monotonicMs()
    } catch (error) {
      if (!isOpError(error)) throw error
      this.failures += 1
      log.warn('the heartbeat could not be written', { code: error.code, detail: error.detail })
    }
  }
}
