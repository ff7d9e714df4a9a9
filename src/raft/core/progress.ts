// Owns what a leader knows of one member's log, and how much it sends ahead of what it knows. Not what is sent (leader.ts).
//
//   probe      one message at a time until the member has said where its log agrees
//   replicate  messages are sent ahead, as many as `inflight` allows
//   snapshot   a snapshot is on its way; nothing else is sent

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

/** Messages that were sent and not acknowledged, by the index of their last entry, oldest first. Bounded by number and by bytes. */
export class Inflight {
  readonly #messagesMax: number
  readonly #bytesMax: number
  #sent: Array<{ readonly index: number; readonly bytes: number }> = []
  #bytes = 0

  constructor(limits: { readonly messagesMax: number; readonly bytesMax: number }) {
    this.#messagesMax = limits.messagesMax
    this.#bytesMax = limits.bytesMax
  }

  get count(): number {
    return this.#sent.length
  }

  get isFull(): boolean {
    return this.#sent.length >= this.#messagesMax || (this.#bytesMax > 0 && this.#bytes >= this.#bytesMax)
  }

  add(index: number, bytes: number): void {
    this.#sent.push({ index, bytes })
    this.#bytes += bytes
  }

  /** What ends at or before the index has arrived. */
  free(index: number): void {
    let arrived = 0
    for (const { index: last, bytes } of this.#sent) {
      if (last > index) break
      this.#bytes -= bytes
      arrived += 1
    }
    if (arrived > 0) this.#sent = this.#sent.slice(arrived)
  }

  clear(): void {
    this.#sent = []
    this.#bytes = 0
  }
}

export class Progress {
  state: ProgressState = 'probe'
  /** The greatest index known to be in the member's log, durably. */
  match: number
  /** The next index to be sent. */
  next: number
  isLearner: boolean
  /** It was heard from since the leader last looked. */
  recentlyActive = false
  /** Of the snapshot on its way; 0 when there is none. */
  pendingSnapshotIndex = 0
  readonly inflight: Inflight
  /** The greatest commit index it was told. */
  #sentCommit = 0
  #isHeld = false

  constructor(order: {
    readonly match: number
    readonly next: number
    readonly isLearner: boolean
    readonly inflight: { readonly messagesMax: number; readonly bytesMax: number }
  }) {
    this.match = order.match
    this.next = order.next
    this.isLearner = order.isLearner
    this.inflight = new Inflight(order.inflight)
  }

  /** Nothing is to be sent until something is heard. */
  get isPaused(): boolean {
    return this.state === 'snapshot' || this.#isHeld
  }

  becomeProbe(): void {
    // After a snapshot the log is probed behind it: the member may have it, although its answer was lost.
    const next = this.state === 'snapshot' ? Math.max(this.match + 1, this.pendingSnapshotIndex + 1) : this.match + 1
    this.#become('probe', next)
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1)
  }

  becomeReplicate(): void {
    this.#become('replicate', this.match + 1)
  }

  becomeSnapshot(index: number): void {
    this.#become('snapshot', index + 1)
    this.pendingSnapshotIndex = index
    this.#sentCommit = index
  }

  #become(state: ProgressState, next: number): void {
    this.state = state
    this.next = next
    this.#isHeld = false
    this.pendingSnapshotIndex = 0
    this.inflight.clear()
  }

  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
  }

  sentEntries(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count
        this.inflight.add(this.next - 1, bytes)
      }
      // Full, or sent although full: what was sent last is a probe.
      this.#isHeld = this.inflight.isFull
    } else if (count > 0) {
      this.#isHeld = true
    }
  }

  sentCommit(index: number): void {
    this.#sentCommit = index
  }

  /** Telling it this commit index could move its own: it was not told, and what was told does not cover all that it was sent. */
  canLearnCommit(index: number): boolean {
    return index > this.#sentCommit && this.#sentCommit < this.next - 1
  }

  /** Its log holds the leader's up to the index. False when that is no news. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false
    this.match = index
    this.next = Math.max(this.next, index + 1)
    this.#isHeld = false
    return true
  }

  /** It refused entries behind `rejected`; its log may agree up to `hint`. False for an answer that is out of date. */
  stepBack(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.next = this.match + 1
      this.#sentCommit = Math.min(this.#sentCommit, this.next - 1)
      return true
    }
    // A probe is about the entry before `next`; anything else was answered to an older one.
    if (this.next - 1 !== rejected) return false
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1)
    this.#isHeld = false
    return true
  }
}
