// Owns the queue between one who makes and one who takes, with a named maximum by count and by weight (usually bytes). Full means the
// maker waits, or is refused: never that something is dropped. One event loop; first in, first out; also among those who wait.

import { assert } from './assert.ts'

export interface BoundedQueueLimits<Item> {
  readonly countMax: number
  /** The most weight waiting at one time. One item above it still passes through an empty queue, else it could never. */
  readonly weightMax?: number
  readonly weigh?: (item: Item) => number
}

interface WaitingMaker<Item> {
  readonly item: Item
  readonly admit: (isAdmitted: boolean) => void
}

export class BoundedQueue<Item> {
  readonly #countMax: number
  readonly #weightMax: number
  readonly #weigh: (item: Item) => number
  #items: Item[] = []
  /** Items before this index are taken; the array is cut when half of it is. */
  #head = 0
  #weight = 0
  #makers: Array<WaitingMaker<Item>> = []
  #takers: Array<(item: Item | undefined) => void> = []
  #isClosed = false

  constructor({ countMax, weightMax = Infinity, weigh = () => 0 }: BoundedQueueLimits<Item>) {
    assert(countMax >= 1 && weightMax > 0, 'a bounded queue holds at least one item')
    this.#countMax = countMax
    this.#weightMax = weightMax
    this.#weigh = weigh
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  get weight(): number {
    return this.#weight
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  #hasRoomFor(item: Item): boolean {
    if (this.size === 0) return true
    return this.size < this.#countMax && this.#weight + this.#weigh(item) <= this.#weightMax
  }

  #add(item: Item): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker(item)
      return
    }
    this.#items.push(item)
    this.#weight += this.#weigh(item)
  }

  /** False, and nothing happened, when the queue is full, closed, or others wait already. */
  tryPush(item: Item): boolean {
    if (this.#isClosed || this.#makers.length > 0 || !this.#hasRoomFor(item)) return false
    this.#add(item)
    return true
  }

  /** Waits for room. False when the queue was closed before there was any: the item is not in it. */
  push(item: Item): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false)
    if (this.tryPush(item)) return Promise.resolve(true)
    return new Promise((admit) => {
      this.#makers.push({ item, admit })
    })
  }

  /** The oldest item, or undefined when there is none now. */
  shift(): Item | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head]!
    this.#head += 1
    this.#weight -= this.#weigh(item)
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    this.#admitWaiting()
    return item
  }

  #admitWaiting(): void {
    while (this.#makers.length > 0 && this.#hasRoomFor(this.#makers[0]!.item)) {
      const { item, admit } = this.#makers.shift()!
      this.#add(item)
      admit(true)
    }
  }

  /** Waits for an item. Undefined when the queue is closed and empty: the end. */
  take(): Promise<Item | undefined> {
    if (this.size > 0 || this.#isClosed) return Promise.resolve(this.shift())
    return new Promise((resolve) => {
      this.#takers.push(resolve)
    })
  }

  /** Nothing more comes in; what is in can still be taken. Makers that wait are told false, takers that wait the end. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const { admit } of this.#makers.splice(0)) admit(false)
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }
}
