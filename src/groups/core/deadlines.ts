// Owns the one heap of everything that falls due: sessions, rebalances, sweeps. Not what happens then (timers.ts). A deadline that
// only moves later, as a session does at every heartbeat, costs two writes: the heap notices when its old place comes up.

const never = Infinity

export class Deadline<Subject> {
  readonly subject: Subject
  /** When it truly falls due; never while unset. */
  dueMs = never
  /** Its one valid place in the heap; others are stale. */
  queuedMs = never

  constructor(subject: Subject) {
    this.subject = subject
  }
}

interface Place<Subject> {
  readonly atMs: number
  readonly order: number
  readonly deadline: Deadline<Subject>
}

function before<Subject>(left: Place<Subject>, right: Place<Subject>): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)
}

export class Deadlines<Subject> {
  readonly #heap: Place<Subject>[] = []
  #placed = 0

  /** No deadline falls due before this; Infinity when there is none. May be early, never late. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? never
  }

  /** How many places the heap holds, stale ones too. */
  get size(): number {
    return this.#heap.length
  }

  set(deadline: Deadline<Subject>, dueMs: number): void {
    deadline.dueMs = dueMs
    if (dueMs < deadline.queuedMs) this.#push(deadline, dueMs)
  }

  cancel(deadline: Deadline<Subject>): void {
    deadline.dueMs = never
  }

  /** Takes out the next one that is due, if any; it is unset then. */
  take(nowMs: number): Subject | undefined {
    for (;;) {
      const place = this.#heap[0]
      if (place === undefined || place.atMs > nowMs) return undefined
      this.#pop()
      const { deadline } = place
      if (place.atMs !== deadline.queuedMs) continue
      deadline.queuedMs = never
      if (deadline.dueMs === never) continue
      if (deadline.dueMs <= nowMs) {
        deadline.dueMs = never
        return deadline.subject
      }
      this.#push(deadline, deadline.dueMs)
    }
  }

  #push(deadline: Deadline<Subject>, atMs: number): void {
    deadline.queuedMs = atMs
    const place: Place<Subject> = { atMs, order: this.#placed, deadline }
    this.#placed += 1
    const heap = this.#heap
    let at = heap.length
    heap.push(place)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(place, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = place
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
