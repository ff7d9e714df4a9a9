// Owns sets of partitions as the consumer protocol knows them: what a member shall have, what it has and since which epoch, and how
// such sets compare. Not who decides them (uniform.ts, range.ts, reconcile.ts).

/** By topic id, ascending in both; no topic without a partition. */
export type Partitions = ReadonlyMap<string, readonly number[]>

/** By topic id, then partition: the epoch in which the member was given it. No topic without a partition. */
export type HeldPartitions = ReadonlyMap<string, ReadonlyMap<number, number>>

export const noPartitions: Partitions = new Map()
export const nothingHeld: HeldPartitions = new Map()

/** Plain code units, so that every run and every machine orders alike. */
export function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

export function samePartitions(left: Partitions, right: Partitions): boolean {
  if (left.size !== right.size) return false
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId)
    if (others?.length !== partitions.length || partitions.some((one, at) => one !== others[at])) return false
  }
  return true
}

/** The same partitions, whatever the epochs. */
export function holdTheSame(left: HeldPartitions, right: HeldPartitions): boolean {
  return countHeld(left) === countHeld(right) && holdsAll(right, listOf(left))
}

export function sameHeld(left: HeldPartitions, right: HeldPartitions): boolean {
  if (left.size !== right.size) return false
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId)
    if (others?.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) if (others.get(partition) !== epoch) return false
  }
  return true
}

/** Whether every partition of the list is held. */
export function holdsAll(held: HeldPartitions, list: Partitions): boolean {
  for (const [topicId, partitions] of list) {
    const here = held.get(topicId)
    if (partitions.some((partition) => here?.has(partition) !== true)) return false
  }
  return true
}

/** Whether any partition of the list is held. */
export function holdsAny(held: HeldPartitions, list: Partitions): boolean {
  for (const [topicId, partitions] of list) {
    const here = held.get(topicId)
    if (here !== undefined && partitions.some((partition) => here.has(partition))) return true
  }
  return false
}

function countHeld(held: HeldPartitions): number {
  let count = 0
  for (const partitions of held.values()) count += partitions.size
  return count
}

export function listOf(held: HeldPartitions): Partitions {
  const entries = [...held].map(([topicId, partitions]) => [topicId, [...partitions.keys()].sort((a, b) => a - b)] as const)
  return new Map(entries.sort(([left], [right]) => byText(left, right)))
}

/** All of a list, held since one epoch. */
export function heldSince(list: Partitions, epoch: number): HeldPartitions {
  return new Map([...list].map(([topicId, partitions]) => [topicId, new Map(partitions.map((one) => [one, epoch]))]))
}

/** A set under construction, in any order; `take` puts it in order. */
export class PartitionList {
  readonly #topics = new Map<string, Set<number>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  has(topicId: string, partition: number): boolean {
    return this.#topics.get(topicId)?.has(partition) === true
  }

  add(topicId: string, partition: number): void {
    let partitions = this.#topics.get(topicId)
    if (partitions === undefined) {
      partitions = new Set()
      this.#topics.set(topicId, partitions)
    }
    if (partitions.has(partition)) return
    partitions.add(partition)
    this.#count += 1
  }

  remove(topicId: string, partition: number): void {
    const partitions = this.#topics.get(topicId)
    if (partitions?.delete(partition) !== true) return
    this.#count -= 1
    if (partitions.size === 0) this.#topics.delete(topicId)
  }

  /** The highest partition of a topic that is here. */
  last(topicId: string): number | undefined {
    let last: number | undefined
    for (const partition of this.#topics.get(topicId) ?? []) if (last === undefined || partition > last) last = partition
    return last
  }

  take(): Partitions {
    const entries = [...this.#topics].map(([topicId, partitions]) => [topicId, [...partitions].sort((a, b) => a - b)] as const)
    return new Map(entries.sort(([left], [right]) => byText(left, right)))
  }
}
