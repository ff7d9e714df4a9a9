// Owns liveness between pairs of nodes (multi-raft.md, C14–C19; CockroachDB's store liveness): for how long which node may count on
// which other, and what was promised to whom. One node's view, a pure function of its inputs; all times are milliseconds of this node's
// monotonic clock, never compared with another's. Not what a group makes of it (driver).
//
// A node asks each peer for support, again and again. The peer answers with a promise: until it ends, it neither votes against nor
// campaigns against leaders on that node. A promise that has ended may be withdrawn; from then on its epoch is dead.
//
// RAFT-S1  what the asking node counts on ends before the promise does: it counts from when it asked, less what clocks may differ.
// RAFT-S2  a promise is withdrawn only after its end, and its epoch is never given support again.
// RAFT-S3  a node that has started keeps every promise that it may have given before: it gives no vote for as long as one lasts.

export interface SupportRequest {
  readonly kind: 'request'
  readonly epoch: number
  /** The asking node's clock, given back. */
  readonly sentMs: number
}

export interface SupportAnswer {
  readonly kind: 'answer'
  readonly epoch: number
  readonly sentMs: number
  readonly isGranted: boolean
  /** Refused: the first epoch that may be asked for. */
  readonly epochMin: number
  /** Which start of the answering node it is: its promises of before are forgotten, though kept (RAFT-S3). */
  readonly boot: number
}

export type SupportMessage = SupportRequest | SupportAnswer

export interface SupportSettings {
  readonly supportMs: number
  /** Of 1: how much faster or slower than true time a clock may go. */
  readonly driftMax: number
  /** What an asking node gives away of each promise beside it. */
  readonly guardMs: number
}

/** Epochs of one start of a node; the next begins behind them. */
const epochsPerBoot = 2 ** 24

interface Asked {
  epoch: number
  /** Counted on until then. */
  untilMs: number
  /** Which start of the peer has promised. */
  boot: number | undefined
}

interface Promised {
  epoch: number
  untilMs: number
  isWithdrawn: boolean
}

export class NodeSupport {
  readonly #settings: SupportSettings
  readonly #boot: number
  /** Before it no vote is given. */
  readonly votesFromMs: number
  readonly #asked = new Map<number, Asked>()
  readonly #promised = new Map<number, Promised>()

  /** `boot` is greater at every start of a node, and durable before it is used. */
  constructor(settings: SupportSettings, boot: number, nowMs: number) {
    this.#settings = settings
    this.#boot = boot
    this.votesFromMs = nowMs + settings.supportMs * (1 + 2 * settings.driftMax)
  }

  // --- asking

  request(peer: number, nowMs: number): SupportRequest {
    return { kind: 'request', epoch: this.#askedOf(peer).epoch, sentMs: nowMs }
  }

  /** True when the peer supports this node anew: as what it counted on before, nothing holds. */
  onAnswer(peer: number, answer: SupportAnswer, nowMs: number): boolean {
    const asked = this.#askedOf(peer)
    if (answer.epoch !== asked.epoch) return false
    if (!answer.isGranted || (asked.boot !== undefined && asked.boot !== answer.boot)) {
      asked.epoch = Math.max(asked.epoch + 1, answer.epochMin)
      asked.untilMs = 0
      asked.boot = undefined
      return false
    }
    const { supportMs, driftMax, guardMs } = this.#settings
    const wasCounted = asked.untilMs > nowMs
    asked.boot = answer.boot
    asked.untilMs = Math.max(asked.untilMs, answer.sentMs + supportMs * (1 - 2 * driftMax) - guardMs)
    return !wasCounted && asked.untilMs > nowMs
  }

  /** The epoch in which the peer supports this node, and until when; epoch 0 when it does not. */
  countedOn(peer: number, nowMs: number): { readonly epoch: number; readonly untilMs: number } {
    const asked = this.#asked.get(peer)
    return asked !== undefined && asked.untilMs > nowMs ? asked : unsupported
  }

  // --- promising

  onRequest(peer: number, { epoch, sentMs }: SupportRequest, nowMs: number): SupportAnswer {
    const before = this.#promised.get(peer)
    const epochMin = before === undefined ? 0 : before.isWithdrawn ? before.epoch + 1 : before.epoch
    const isGranted = epoch >= epochMin
    if (isGranted) {
      const untilMs = nowMs + this.#settings.supportMs
      if (before?.epoch === epoch) before.untilMs = Math.max(before.untilMs, untilMs)
      else this.#promised.set(peer, { epoch, untilMs, isWithdrawn: false })
    }
    return { kind: 'answer', epoch, sentMs, isGranted, epochMin, boot: this.#boot }
  }

  /** The epoch in which the peer is supported; 0 when it is not. Past its end a promise is kept until it is withdrawn. */
  promisedTo(peer: number): number {
    const promised = this.#promised.get(peer)
    return promised === undefined || promised.isWithdrawn ? 0 : promised.epoch
  }

  /** Withdraws what has ended, and tells from whom. */
  withdraw(nowMs: number): readonly number[] {
    const gone: number[] = []
    for (const [peer, promised] of this.#promised) {
      if (promised.isWithdrawn || promised.untilMs > nowMs) continue
      promised.isWithdrawn = true
      gone.push(peer)
    }
    return gone
  }

  #askedOf(peer: number): Asked {
    let asked = this.#asked.get(peer)
    if (asked === undefined) {
      asked = { epoch: this.#boot * epochsPerBoot, untilMs: 0, boot: undefined }
      this.#asked.set(peer, asked)
    }
    return asked
  }
}

const unsupported = { epoch: 0, untilMs: 0 }
