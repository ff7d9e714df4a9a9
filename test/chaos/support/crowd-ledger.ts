// Owns judging what the members of one group tell: who has which partition, and who saw which records. Pure; Crowd.java has the words.

export class CrowdLedger {
  readonly breaches: string[] = []
  readonly #partitions: number
  readonly #ownerOf = new Map<number, string>()
  readonly #members = new Map<string, Set<number>>()
  readonly #places = new Map<string, Place>()
  readonly #committed = new Map<number, number>()
  readonly #seenUpTo = new Map<number, number>()
  readonly #ends = new Map<number, number>()
  /** Records that more than one saw, as at-least-once allows when a commit was not confirmed. */
  seenAgain = 0
  seen = 0
  hasEnded = false

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  take(line: string): void {
    const [what = '', who = '', ...rest] = line.split(' ')
    const [first = 0, second = 0, third = 0] = rest.map(Number)
    const partitions = (rest[0] ?? '').split(',').filter((text) => text !== '')
    if (what === 'assigned') partitions.forEach((partition) => this.#assign(who, Number(partition)))
    else if (what === 'revoked' || what === 'lost') partitions.forEach((partition) => this.#release(who, Number(partition)))
    else if (what === 'got') this.#see(who, first, second, third + 1)
    else if (what === 'committed') this.#committed.set(first, Math.max(second, this.#committed.get(first) ?? 0))
    else if (what === 'left') this.#leave(who)
    else if (what === 'end') this.#ends.set(Number(who), first)
    else if (what === 'ended') this.hasEnded = true
    else if (what === 'failed' || what === 'unsent') this.breaches.push(line)
  }

  /** Each partition has an owner, and nobody has two more than another. */
  isSettled(members: ReadonlySet<string>): boolean {
    const least = Math.floor(this.#partitions / members.size)
    const most = Math.ceil(this.#partitions / members.size)
    const owned = [...members].map((member) => this.#members.get(member)?.size ?? 0)
    return this.#ownerOf.size === this.#partitions && owned.every((count) => count >= least && count <= most)
  }

  /** The writer is done, and every record of it was seen. */
  get isDone(): boolean {
    return this.hasEnded && [...this.#ends].every(([partition, end]) => (this.#seenUpTo.get(partition) ?? 0) >= end)
  }

  /** What is missing, for whoever waits in vain. */
  describe(): string {
    const behind = [...this.#ends].filter(([partition, end]) => (this.#seenUpTo.get(partition) ?? 0) < end).length
    const owned = [...this.#members].map(([member, partitions]) => `${member}: ${partitions.size}`).join(', ')
    return `${this.#ownerOf.size} of ${this.#partitions} partitions have an owner, ${behind} are behind their end; ${owned}`
  }

  #assign(member: string, partition: number): void {
    const owner = this.#ownerOf.get(partition)
    if (owner !== undefined) this.breaches.push(`partition ${partition} is assigned to ${member} while ${owner} has it`)
    this.#ownerOf.set(partition, member)
    this.#ownedBy(member).add(partition)
    this.#places.set(`${member} ${partition}`, { floor: this.#committed.get(partition) ?? 0 })
  }

  #release(member: string, partition: number): void {
    if (this.#ownerOf.get(partition) === member) this.#ownerOf.delete(partition)
    this.#ownedBy(member).delete(partition)
    this.#places.delete(`${member} ${partition}`)
  }

  #see(member: string, partition: number, first: number, end: number): void {
    const where = `${member} at ${partition}, offset ${first}`
    const seenUpTo = this.#seenUpTo.get(partition) ?? 0
    const place = this.#places.get(`${member} ${partition}`)
    if (place === undefined) this.breaches.push(`${where}: not its partition`)
    else if (place.next !== undefined && first !== place.next) this.breaches.push(`${where}: ${place.next} comes next`)
    else if (first < place.floor) this.breaches.push(`${where}: committed up to ${place.floor} before it got the partition`)
    if (first > seenUpTo) this.breaches.push(`${where}: nobody saw those from ${seenUpTo} on`)
    if (place !== undefined) place.next = end
    this.seen += Math.max(0, end - seenUpTo)
    this.seenAgain += Math.max(0, Math.min(end, seenUpTo) - first)
    this.#seenUpTo.set(partition, Math.max(seenUpTo, end))
  }

  #leave(member: string): void {
    for (const partition of this.#ownedBy(member)) this.#release(member, partition)
    this.#members.delete(member)
  }

  #ownedBy(member: string): Set<number> {
    const owned = this.#members.get(member) ?? new Set()
    this.#members.set(member, owned)
    return owned
  }
}

interface Place {
  /** Committed when the partition was assigned: nothing below may be seen again. */
  readonly floor: number
  /** The next offset once something was read. */
  next?: number
}
