/**
 * Owns one run: nodes, groups and clients under a schedule of faults that a seed decides, the real core, driver and WAL below them, every
 * invariant asserted after every event; at the end the faults stop, and all has to come together again.
 */
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import { type Configuration, emptyConfiguration, type NodeChange, type RaftEntry } from '../../../src/raft/core/index.ts'
import { multiRaftDefaults, type MultiRaftSettings } from '../../../src/raft/driver/settings.ts'
import { simulateReplicas } from '../replicas/replicas.ts'
import { Breach, Invariants } from './invariants.ts'
import { SimNode, type SnapshotBucket } from './sim-node.ts'
import { goodLinks, Network, Timeline } from './world.ts'

/** `brokers`: partitions and producers on the logs, see ../replicas; the others look at Raft alone. */
export const profiles = ['calm', 'partitions', 'crashes', 'disks', 'membership', 'everything', 'brokers'] as const
export type Profile = (typeof profiles)[number]

export interface RunOptions {
  readonly seed: number
  readonly profile?: Profile
  /** Of faults, by true time. */
  readonly faultyMs?: number
  /** Faults that are left out, by their number: how a failing run is made smaller. */
  readonly without?: ReadonlySet<number>
}

export interface RunResult {
  readonly seed: number
  readonly profile: Profile
  readonly breach: { readonly invariant: string; readonly detail: string; readonly atMs: number } | undefined
  /** Every fault, with its number. */
  readonly schedule: readonly string[]
  readonly events: number
  readonly counts: Readonly<Record<string, number>>
  /** From the end of all faults until every group had committed something new. */
  readonly healedMs: number | undefined
}

const settleMs = 6_000
const healMsMax = 3_000

const turnOver = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

export async function simulate(options: RunOptions): Promise<RunResult> {
  const profile = options.profile ?? profiles[options.seed % profiles.length]!
  if (profile === 'brokers') return { profile, healedMs: undefined, ...(await simulateReplicas(options)) }
  const run = new Run(options, profile)
  return run.go()
}

class Run {
  readonly #options: RunOptions
  readonly #prng: Prng
  readonly #profile: Profile
  readonly #timeline: Timeline
  readonly #network: Network
  readonly #nodes = new Map<number, SimNode>()
  readonly #groups: readonly number[]
  readonly #bucket: SnapshotBucket = { objects: new Map(), missing: 0 }
  readonly #invariants: Invariants
  readonly #schedule: string[] = []
  #fault = 0
  #events = 0
  #nextValue = 1
  /** Proposed and not seen yet. */
  readonly #proposed = new Map<string, { readonly node: SimNode; readonly raft: object }>()
  readonly #acked = new Map<number, Map<number, string>>()
  #isFaulty = true

  constructor(options: RunOptions, profile: Profile) {
    this.#options = options
    this.#prng = seededPrng(options.seed)
    this.#profile = profile
    this.#timeline = new Timeline(this.#prng)
    this.#network = new Network(this.#timeline, this.#prng)
    const size = this.#prng.next() < 0.7 ? 3 : 5
    const spare = this.#has('membership') ? 2 : 0
    this.#groups = Array.from({ length: 1 + this.#prng.below(3) }, (_, at) => at + 1)
    this.#invariants = new Invariants(this.#nodes, (node, group, entry) => this.#onApplied(node, group, entry))
    const ids = Array.from({ length: size + spare }, (_, at) => at + 1)
    const members: Configuration = { ...emptyConfiguration, voters: ids.slice(0, size) }
    for (const group of this.#groups) this.#invariants.facts(group)
    for (const id of ids) {
      const rate = 1 + (this.#prng.next() * 2 - 1) * 0.01
      const node = new SimNode(
        {
          id,
          seed: this.#prng.below(2 ** 31),
          timeline: this.#timeline,
          network: this.#network,
          settings: this.#settings(ids.filter((other) => other !== id)),
          bucket: this.#bucket,
          observer: this.#invariants,
          nodeOf: (other) => this.#nodes.get(other),
          firstMembers: new Map(this.#groups.map((group) => [group, members])),
        },
        rate,
      )
      this.#nodes.set(id, node)
    }
  }

  /** Small windows and sizes now and then: what is rare is to be met. */
  #settings(peers: readonly number[]): MultiRaftSettings {
    const { core, ...rest } = multiRaftDefaults
    const isTiny = this.#options.seed % 3 === 0
    return {
      ...rest,
      peers,
      groupsPerTurnMax: isTiny ? 1 : rest.groupsPerTurnMax,
      // Mostly nothing is at hand of what is applied.
      rememberedBytesMax: this.#options.seed % 2 === 0 ? 0 : rest.rememberedBytesMax,
      recalledBytesMax: isTiny ? 10 : rest.recalledBytesMax,
      core: isTiny ? { ...core, messageBytesMax: 30, inflight: { messagesMax: 2, bytesMax: 0 }, applyingBytesMax: 40 } : core,
    }
  }

  #has(profile: Profile): boolean {
    return this.#profile === profile || this.#profile === 'everything'
  }

  async go(): Promise<RunResult> {
    const faultyMs = this.#options.faultyMs ?? 6_000
    const onRejection = (error: unknown): void => {
      this.#failure ??= error
    }
    process.on('unhandledRejection', onRejection)
    let healedMs: number | undefined
    try {
      for (const node of this.#nodes.values()) this.#do(() => node.start())
      this.#clientEvery(25)
      this.#faultEvery(150)
      await this.#until(faultyMs)
      this.#heal()
      const gone = this.#endOne()
      healedMs = await this.#healed()
      if (gone !== undefined) this.#do(() => gone.start())
      await this.#until(this.#timeline.nowMs + settleMs)
      this.#checkEnd()
    } catch (error) {
      const invariant = error instanceof Breach ? error.invariant : 'crash'
      return this.#result(healedMs, {
        invariant,
        detail: error instanceof Breach ? error.message : String((error as Error).stack),
        atMs: Math.round(this.#timeline.nowMs),
      })
    } finally {
      for (const node of this.#nodes.values()) node.stop('kill', this.#prng)
      process.off('unhandledRejection', onRejection)
    }
    return this.#result(healedMs, undefined)
  }

  #result(healedMs: number | undefined, breach: RunResult['breach']): RunResult {
    const { seed } = this.#options
    const events = this.#events
    return { seed, profile: this.#profile, breach, schedule: this.#schedule, events, counts: this.#invariants.counts, healedMs }
  }

  #failure: unknown

  /** Work that the run does not wait for; if it fails, the run fails. */
  #do(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      this.#failure ??= error
    })
  }

  async #until(endMs: number): Promise<void> {
    for (;;) {
      const event = this.#timeline.next(endMs)
      if (event === undefined) return
      event()
      await turnOver()
      this.#events += 1
      if (this.#failure !== undefined) throw this.#failure as Error
      this.#invariants.check()
    }
  }

  // --- clients

  #clientEvery(ms: number): void {
    const again = (): void => {
      this.#timeline.at(this.#timeline.nowMs + ms * (0.5 + this.#prng.next()), () => {
        this.#propose()
        // At the end nobody asks: groups have to find a leader without being reminded.
        if (this.#isFaulty && this.#prng.next() < 0.3) this.#read()
        again()
      })
    }
    again()
  }

  #up(): SimNode[] {
    return [...this.#nodes.values()].filter(({ isUp, process }) => isUp && (process?.heldUntilMs ?? 0) <= this.#timeline.nowMs)
  }

  #one<Value>(values: readonly Value[]): Value | undefined {
    return values[this.#prng.below(Math.max(1, values.length))]
  }

  #propose(): void {
    const group = this.#one(this.#groups)!
    // Now and then a group has nothing to do for long: what holds without any traffic is to be met too.
    if (this.#options.seed % 4 === 1 && group === this.#groups.at(-1) && this.#isFaulty && this.#timeline.nowMs > 1_500) return
    // Whoever believes to lead: there may be two of them.
    const leaders = this.#up().filter((node) => node.raft?.group(group)?.isLeader === true)
    const node = this.#one(leaders)
    if (node === undefined) return
    const count = 1 + this.#prng.below(3)
    const texts = Array.from({ length: count }, () => `v${this.#nextValue++}`)
    const proposed = node.raft?.propose(
      group,
      texts.map((text) => ({ kind: 'metadata', change: undefined, payload: new Uint8Array(Buffer.from(text)) })),
    )
    if (proposed === undefined) return
    for (const text of texts) this.#proposed.set(text, { node, raft: node.raft! })
  }

  #onApplied(node: SimNode, group: number, entry: RaftEntry): void {
    const text = Buffer.from(entry.payload).toString()
    const asked = this.#proposed.get(text)
    // The owner that has proposed it sees it applied: it acknowledges.
    if (asked === undefined || asked.node !== node || asked.raft !== node.raft) return
    this.#proposed.delete(text)
    let acked = this.#acked.get(group)
    if (acked === undefined) {
      acked = new Map()
      this.#acked.set(group, acked)
    }
    acked.set(entry.index, text)
    this.#invariants.count('acknowledged')
  }

  #read(): void {
    const group = this.#one(this.#groups)!
    const node = this.#one(this.#up())
    if (node === undefined) return
    const { highest } = this.#invariants.facts(group)
    if (node.raft?.hasLease(group) === true) this.#invariants.count('read by lease')
    node.raft?.read(group, (index) => {
      if (index === undefined) return
      try {
        this.#invariants.checkRead(group, index, highest, node)
      } catch (error) {
        this.#failure ??= error
      }
    })
  }

  // --- faults

  #faultEvery(ms: number): void {
    const again = (): void => {
      this.#timeline.at(this.#timeline.nowMs + ms * (0.5 + this.#prng.next()), () => {
        if (!this.#isFaulty) return
        this.#fault += 1
        this.#happen()
        again()
      })
    }
    again()
  }

  #note(what: string): boolean {
    if (this.#options.without?.has(this.#fault) === true) return false
    this.#schedule.push(`#${this.#fault} at ${Math.round(this.#timeline.nowMs)} ms: ${what}`)
    return true
  }

  #happen(): void {
    const choices: Array<() => void> = [() => this.#compact(), () => this.#transfer(), () => undefined]
    if (this.#has('partitions'))
      choices.push(
        () => this.#partition(),
        () => this.#partition(),
        () => this.#weather(),
        () => this.#mend(),
      )
    if (this.#has('crashes'))
      choices.push(
        () => this.#crash(),
        () => this.#crash(),
        () => this.#pause(),
      )
    if (this.#has('disks'))
      choices.push(
        () => this.#crash(),
        () => this.#slowDisk(),
        () => this.#release(),
      )
    if (this.#has('membership'))
      choices.push(
        () => this.#change(),
        () => this.#change(),
        () => this.#crash(),
      )
    this.#one(choices)!()
  }

  #crash(): void {
    const node = this.#one(this.#up())
    const how = this.#prng.next() < 0.3 ? 'kill' : 'power'
    const backMs = this.#prng.next() < 0.3 ? 5 : 100 + this.#prng.below(1_500)
    if (node === undefined || !this.#note(`node ${node.id} ends (${how}), back after ${backMs} ms`)) return
    this.#stop(node, how)
    this.#timeline.at(this.#timeline.nowMs + backMs, () => {
      if (!node.isUp && node.process?.isAlive !== true) this.#do(() => node.start())
    })
  }

  #stop(node: SimNode, how: 'kill' | 'power'): void {
    node.stop(how, this.#prng)
    for (const other of this.#nodes.values())
      if (other !== node)
        this.#timeline.at(this.#timeline.nowMs, () => other.process?.do(() => other.raft?.disconnected(node.id)))
  }

  #pause(): void {
    const node = this.#one(this.#up())
    const ms = 10 + this.#prng.below(this.#prng.next() < 0.2 ? 3_000 : 700)
    if (node === undefined || !this.#note(`node ${node.id} stands still for ${ms} ms`)) return
    node.hold(ms)
  }

  #partition(): void {
    const node = this.#one([...this.#nodes.values()])!
    const kind = this.#one(['whole', 'out', 'in', 'one'] as const)!
    if (!this.#note(`node ${node.id} is cut off (${kind})`)) return
    const others = [...this.#nodes.keys()].filter((id) => id !== node.id)
    for (const id of kind === 'one' ? [this.#one(others)!] : others) {
      if (kind !== 'in') this.#network.cut(node.id, id)
      if (kind !== 'out') this.#network.cut(id, node.id)
    }
  }

  #mend(): void {
    if (this.#note('all ways are open again')) this.#reconnect()
  }

  #reconnect(): void {
    this.#network.heal()
    // Connections are made anew: what was on its way is known to be lost.
    for (const node of this.#nodes.values())
      for (const peer of this.#nodes.keys()) if (peer !== node.id) node.process?.do(() => node.raft?.disconnected(peer))
  }

  #weather(): void {
    const isBad = this.#prng.next() < 0.7
    if (!this.#note(isBad ? 'messages are lost, doubled, late' : 'fair weather')) return
    this.#network.faults = isBad
      ? {
          loss: this.#prng.next() * 0.3,
          duplication: this.#prng.next() * 0.2,
          reordering: this.#prng.next() * 0.4,
          delayMsMax: 1 + this.#prng.below(120),
        }
      : { ...goodLinks }
  }

  #slowDisk(): void {
    const node = this.#one([...this.#nodes.values()])!
    const ms = this.#prng.next() < 0.5 ? 4 : this.#prng.below(900)
    if (this.#note(`syncs of node ${node.id} take up to ${ms} ms`)) node.syncMsMax = ms
  }

  #compact(): void {
    const node = this.#one(this.#up())
    const group = this.#one(this.#groups)!
    this.#bucket.missing = this.#prng.next() < 0.2 ? 0.5 : 0
    if (node !== undefined && this.#note(`node ${node.id} takes a snapshot of group ${group}`)) node.snapshot(group)
  }

  #release(): void {
    const node = this.#one(this.#up())
    const newest = node?.store?.usage().newestFile
    if (node?.raft === undefined || newest === undefined || !this.#note(`node ${node.id} lets WAL files below ${newest} go`))
      return
    const { raft, process } = node
    const endsThen = this.#prng.next() < 0.3
    const released = (): void => {
      // Whatever is not synced by now is lost, and the files are gone.
      if (!endsThen || process?.isAlive !== true) return
      this.#stop(node, 'power')
      this.#timeline.at(this.#timeline.nowMs + 50, () => {
        if (!node.isUp && node.process?.isAlive !== true) this.#do(() => node.start())
      })
    }
    raft.releaseBelow(newest).then(released, (error: unknown) => {
      if (process?.isAlive === true) this.#failure ??= error
    })
  }

  #transfer(): void {
    const group = this.#one(this.#groups)!
    const node = this.#up().find(({ raft }) => raft?.group(group)?.isLeader === true)
    const to = this.#one([...this.#nodes.keys()])!
    if (node === undefined || !this.#note(`group ${group} goes from node ${node.id} to ${to}`)) return
    node.raft?.transfer(group, to)
    this.#invariants.count('transfer')
  }

  #change(): void {
    const group = this.#one(this.#groups)!
    const node = this.#one(this.#up().filter(({ raft }) => raft?.group(group)?.isLeader === true))
    if (node === undefined) return
    const kinds = ['voter', 'learner', 'remove'] as const
    const changes: NodeChange[] = Array.from({ length: 1 + this.#prng.below(3) }, () => ({
      kind: this.#one(kinds)!,
      node: this.#one([...this.#nodes.keys()])!,
    }))
    const transition = this.#one(['auto', 'implicit', 'explicit'] as const)!
    const { votersOutgoing } = node.raft!.group(group)!.node.raft.configuration
    const change = votersOutgoing.length > 0 ? { transition: 'auto' as const, changes: [] } : { transition, changes }
    const said = `${change.transition} ${change.changes.map(({ kind, node: id }) => `${kind} ${id}`).join(', ')}`
    if (!this.#note(`node ${node.id} proposes to group ${group}: ${said}`)) return
    const outcome = node.raft!.proposeChange(group, change)
    this.#invariants.count(`change ${outcome}`)
  }

  // --- the end

  #heal(): void {
    this.#isFaulty = false
    this.#network.faults = { ...goodLinks }
    this.#bucket.missing = 0
    for (const node of this.#nodes.values()) {
      node.syncMsMax = 4
      if (node.process !== undefined) node.process.heldUntilMs = 0
      if (!node.isUp && node.process?.isAlive !== true) this.#do(() => node.start())
    }
    this.#reconnect()
  }

  /** One node, a leader if there is one, stays away for now: the others have to do without it. */
  #endOne(): SimNode | undefined {
    if (!this.#has('crashes') || this.#prng.next() < 0.5) return undefined
    const leader = this.#up().find(({ raft }) => this.#groups.some((group) => raft?.group(group)?.isLeader === true))
    if (leader !== undefined) this.#stop(leader, 'power')
    return leader
  }

  /** Until every group has a leader that commits something new. */
  async #healed(): Promise<number> {
    const startMs = this.#timeline.nowMs
    const before = new Map(this.#groups.map((group) => [group, this.#acked.get(group)?.size ?? 0]))
    const isBehind = (group: number): boolean => (this.#acked.get(group)?.size ?? 0) === before.get(group)
    while (this.#groups.some(isBehind)) {
      if (this.#timeline.nowMs - startMs > healMsMax) {
        const group = this.#groups.find(isBehind)!
        throw new Breach(
          'liveness',
          `group ${group} takes nothing new ${healMsMax} ms after all faults have ended: ${this.#view(group)}`,
        )
      }
      await this.#until(this.#timeline.nowMs + 20)
    }
    return this.#timeline.nowMs - startMs
  }

  #view(group: number): string {
    return [...this.#nodes.values()]
      .map((node) => {
        const member = node.raft?.group(group)
        if (member === undefined) return `${node.id}: down`
        const { role, term, lead, log, configuration } = member.node.raft
        return `${node.id}: ${role} in ${term} under ${lead}, ${log.committed}/${log.lastIndex}, voters ${configuration.voters.join(' ')} of ${configuration.votersOutgoing.join(' ')}`
      })
      .join('; ')
  }

  /** Logs have come together, and all that was acknowledged is there. */
  #checkEnd(): void {
    for (const group of this.#groups) {
      const { committed, highest } = this.#invariants.facts(group)
      for (const [index, text] of this.#acked.get(group) ?? [])
        if (committed.get(index)?.text !== `metadata ${text}`)
          throw new Breach('S5', `${text} of group ${group} was acknowledged at ${index} and is not there`)
      const leader = this.#up().find(({ raft }) => raft?.group(group)?.isLeader === true)
      if (leader === undefined) throw new Breach('liveness', `group ${group} has no leader at the end: ${this.#view(group)}`)
      const { configuration } = leader.raft!.group(group)!.node.raft
      for (const node of this.#up()) {
        const isMember = [...configuration.voters, ...configuration.learners].includes(node.id)
        const applied = node.applied.get(group)?.index ?? 0
        if (isMember && applied < highest - 50)
          throw new Breach(
            'liveness',
            `node ${node.id} has applied ${applied} of ${highest} of group ${group}: ${this.#view(group)}`,
          )
      }
    }
  }
}
