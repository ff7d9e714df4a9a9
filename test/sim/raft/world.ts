/** Owns true time of a simulation, what is due when, and the network between its nodes. Not the nodes (sim-node.ts). */
import type { Prng } from '../../../src/base/prng.ts'

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** A heap of what is due; of two at the same moment the one that chance put first. */
export class Timeline {
  nowMs = 0
  readonly #prng: Prng
  #heap: Due[] = []

  constructor(prng: Prng) {
    this.#prng = prng
  }

  at(atMs: number, run: () => void): void {
    const heap = this.#heap
    heap.push({ atMs: Math.max(atMs, this.nowMs), order: this.#prng.next(), run })
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1
      if (!isBefore(heap[child]!, heap[parent]!)) break
      ;[heap[child], heap[parent]] = [heap[parent]!, heap[child]!]
      child = parent
    }
  }

  /** Moves time to the next event and takes it; undefined when none is due by then. */
  next(untilMs: number): (() => void) | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.atMs > untilMs) {
      this.nowMs = untilMs
      return undefined
    }
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.#sink()
    }
    this.nowMs = first.atMs
    return first.run
  }

  #sink(): void {
    const heap = this.#heap
    for (let parent = 0; ;) {
      const left = 2 * parent + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left
      if (!isBefore(heap[child]!, heap[parent]!)) return
      ;[heap[child], heap[parent]] = [heap[parent]!, heap[child]!]
      parent = child
    }
  }
}

const isBefore = (left: Due, right: Due): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)

export interface LinkFaults {
  /** Of 1. */
  loss: number
  duplication: number
  /** Of messages that come later than those behind them. */
  reordering: number
  delayMsMax: number
}

export const goodLinks: Readonly<LinkFaults> = { loss: 0, duplication: 0, reordering: 0, delayMsMax: 2 }

/** What is sent from one node to another, with the weather of the day. */
export class Network {
  faults: LinkFaults = { ...goodLinks }
  readonly #timeline: Timeline
  readonly #prng: Prng
  /** Ways that are cut, `from>to`. */
  readonly #cut = new Set<string>()
  /** When the last message on a way arrives: those behind it arrive later, unless they are reordered. */
  readonly #lastAtMs = new Map<string, number>()

  constructor(timeline: Timeline, prng: Prng) {
    this.#timeline = timeline
    this.#prng = prng
  }

  send(from: number, to: number, deliver: () => void): void {
    const way = `${from}>${to}`
    if (this.#cut.has(way) || this.#prng.next() < this.faults.loss) return
    const copies = this.#prng.next() < this.faults.duplication ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = 0.2 + this.#prng.next() * this.faults.delayMsMax
      let atMs = this.#timeline.nowMs + delayMs
      if (this.#prng.next() >= this.faults.reordering) {
        atMs = Math.max(atMs, this.#lastAtMs.get(way) ?? 0)
        this.#lastAtMs.set(way, atMs)
      }
      this.#timeline.at(atMs, () => {
        if (!this.#cut.has(way)) deliver()
      })
    }
  }

  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`)
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  heal(): void {
    this.#cut.clear()
  }
}
