/**
 * Owns a cluster in one place as the traces describe it: members, and one list of messages in flight; it carries out one command at a
 * time and tells what happened. Not what should have happened (compare.ts).
 */
import {
  appendQueue,
  applyQueue,
  emptyConfiguration,
  isStorageQueue,
  nobody,
  type RaftMessage,
  type RaftNode,
  type RaftOptions,
} from '../../src/raft/core/index.ts'
import { message } from '../../src/raft/core/message.ts'
import { Replica } from './replica.ts'
import { type Event, readChanges, type ShownChange, showMessage, showReady, showRole, showState, showType } from './show.ts'
import { argsOf, type Trace, type TraceCommand } from './trace-file.ts'

export class Harness {
  readonly #replicas = new Map<number, Replica>()
  readonly #mode: Trace['mode']
  #net: RaftMessage[] = []
  #events: Event[] = []

  constructor(mode: Trace['mode']) {
    this.#mode = mode
  }

  /** Where the scripts of etcd were recorded the harness forgot it. */
  get #installsMachines(): boolean {
    return this.#mode === 'extended'
  }

  get inFlight(): number {
    return this.#net.length
  }

  /** The events of the command, and the error of the call. */
  run(command: TraceCommand): { readonly events: readonly Event[]; readonly err: string | undefined } {
    this.#events = []
    const err = this.#carryOut(command)
    if (this.#mode === 'extended') {
      for (const { node } of this.#replicas.values()) node.raft.electionTimeoutTicks = fixedTimeout(node.raft.id)
    }
    return { events: this.#events, err }
  }

  #carryOut(command: TraceCommand): string | undefined {
    const { bare, named } = argsOf(command)
    const ids = bare.map(Number)
    const [first = 0, second = 0] = ids
    switch (command.cmd) {
      case 'add-nodes':
        this.#addNodes(first, named)
        return undefined
      case 'campaign':
        this.#node(first).campaign()
        return undefined
      case 'propose':
        return this.#node(first).propose([{ kind: 'batch', change: undefined, payload: Buffer.from(bare[1] ?? '') }])
      case 'propose-conf-change':
        return this.#proposeChange(first, named, command.input)
      case 'process-ready':
        for (const id of ids) this.#ready(id)
        return undefined
      case 'process-append-thread':
        for (const id of ids) this.#append(id)
        return undefined
      case 'process-apply-thread':
        for (const id of ids) this.#apply(id)
        return undefined
      case 'deliver-msgs':
        this.#deliver(ids, (named.get('drop') ?? []).map(Number), named.get('type')?.[0])
        return undefined
      case 'stabilize':
        this.#stabilize(ids.length > 0 ? ids : [...this.#replicas.keys()])
        return undefined
      case 'tick-heartbeat':
        this.#tick(first, 1)
        return undefined
      case 'tick-election':
        this.#tick(first, 3)
        return undefined
      case 'tick':
        this.#tick(first, Number(named.get('n')?.[0] ?? bare[1] ?? 1))
        return undefined
      case 'set-randomized-election-timeout':
        this.#node(first).raft.electionTimeoutTicks = Number(named.get('timeout')?.[0])
        return undefined
      case 'transfer-leadership':
        this.#node(Number(named.get('from')?.[0])).transferLeadership(Number(named.get('to')?.[0]))
        return undefined
      case 'forget-leader':
        this.#node(first).forgetLeader()
        return undefined
      case 'report-unreachable':
        this.#node(first).reportUnreachable(second)
        return undefined
      case 'report-snapshot':
        this.#node(first).reportSnapshot(second, named.get('status')?.[0] === 'ok')
        return undefined
      case 'read-index':
        this.#node(first).readIndex(bare[1] ?? '')
        return undefined
      case 'compact':
        return this.#compact(first, second)
      case 'send-snapshot': {
        const snapshot = this.#replica(first).snapshot()
        const sent = message('snapshot', second, { from: first, term: this.#node(first).raft.term, snapshot })
        this.#tell('send', first, { msg: showMessage(sent) })
        this.#net.push(sent)
        return undefined
      }
      case 'deliver-at':
        return this.#receive(this.#net.splice(first, 1)[0]!)
      case 'drop-at': {
        const dropped = this.#net.splice(first, 1)[0]!
        this.#tell('drop', dropped.to, { msg: showMessage(dropped) })
        return undefined
      }
      case 'dup-at':
        return this.#receive(this.#net[first]!)
      case 'restart':
        this.#replica(first).restart()
        // What it had said to itself was volatile too.
        this.#net = this.#net.filter(({ from, to }) => to !== first || (from !== first && !isStorageQueue(from)))
        this.#tell('restarted', first, {})
        return undefined
      default:
        return undefined
    }
  }

  #replica(id: number): Replica {
    const found = this.#replicas.get(id)
    if (found === undefined) throw new Error(`there is no node ${id}`)
    return found
  }

  #node(id: number): RaftNode {
    return this.#replica(id).node
  }

  #tell(ev: string, id: number, about: Event): void {
    const raft = this.#replicas.get(id)?.node.raft
    // A message to a node that is not there yet can be dropped too.
    if (raft === undefined) {
      this.#events.push({ ev, node: id, ...about })
      return
    }
    const { term, vote, lead, role, log } = raft
    const after = [term, vote, lead, showRole(role), log.committed, log.applied, log.lastIndex]
    this.#events.push({ ev, node: id, ...about, after })
  }

  #addNodes(count: number, named: ReadonlyMap<string, readonly string[]>): void {
    const numbers = (name: string): number[] => (named.get(name) ?? []).map(Number)
    const one = (name: string): string | undefined => named.get(name)?.[0]
    const bytes = (name: string): number => (one(name) === undefined ? Infinity : Number(one(name)))
    for (let made = 0; made < count; made += 1) {
      const id = this.#replicas.size + 1
      const options: RaftOptions = {
        id,
        electionTicks: 3,
        heartbeatTicks: 1,
        messageBytesMax: bytes('max-size-per-msg'),
        uncommittedBytesMax: bytes('max-uncommitted'),
        applyingBytesMax: bytes('max-committed-size-per-ready'),
        inflight: { messagesMax: bytes('inflight'), bytesMax: 0 },
        preVote: one('prevote') === 'true',
        checkQuorum: one('checkquorum') === 'true',
        reads: one('read-only') === 'lease-based' ? 'lease-based' : 'safe',
        asynchronousStorage: one('async-storage-writes') === 'true',
        forwardsProposals: one('disable-forwarding') !== 'true',
        validatesChanges: one('disable-conf-change-validation') !== 'true',
        stepsDownOnRemoval: one('step-down-on-removal') === 'true',
        jitter: () => (id - 1) % 3,
      }
      const configuration = { ...emptyConfiguration, voters: numbers('voters'), learners: numbers('learners') }
      this.#replicas.set(id, new Replica(options, { index: numbers('index')[0] ?? 0, configuration }))
    }
  }

  #proposeChange(id: number, named: ReadonlyMap<string, readonly string[]>, input: string | undefined): string | undefined {
    const texts = (input ?? '').split(/\s+/).filter((text) => text !== '')
    const isOldForm = named.get('v1')?.[0] === 'true'
    const transition = (named.get('transition')?.[0] ?? 'auto') as ShownChange['transition']
    const change: ShownChange = { transition, changes: readChanges(texts), ...(isOldForm ? { isOldForm } : {}) }
    return this.#node(id).propose([{ kind: 'node', change, payload: changePayload(change) }])
  }

  #tick(id: number, times: number): void {
    const { node } = this.#replica(id)
    for (let tick = 0; tick < times; tick += 1) {
      node.tick()
      if (this.#mode === 'extended') node.raft.electionTimeoutTicks = fixedTimeout(id)
    }
  }

  #ready(id: number): void {
    const replica = this.#replica(id)
    const ready = replica.node.ready()
    if (replica.options.asynchronousStorage) {
      for (const one of ready.messages) {
        if (one.to === appendQueue) replica.appendQueue.push(one)
        else if (one.to === applyQueue) replica.applyQueue.push(one)
        else this.#net.push(one)
      }
    } else {
      replica.store(ready.hard, ready.entries, ready.snapshot)
      if (ready.snapshot !== undefined && this.#installsMachines) replica.installMachine(ready.snapshot)
      replica.apply(ready.committed)
      this.#net.push(...ready.messages)
      replica.node.advance()
    }
    this.#tell('ready', id, { ready: showReady(ready) })
  }

  #append(id: number): void {
    const replica = this.#replica(id)
    const item = replica.appendQueue.shift()
    if (item === undefined) {
      this.#tell('append-idle', id, {})
      return
    }
    const { term, vote, commit, entries, snapshot, responses } = item
    const hasHard = term !== 0 || vote !== nobody || commit !== 0
    replica.store(hasHard ? { term, vote, commit } : undefined, entries, snapshot)
    if (snapshot !== undefined && this.#installsMachines) replica.installMachine(snapshot)
    this.#net.push(...responses)
    this.#tellDone('append', id, item)
  }

  #apply(id: number): void {
    const replica = this.#replica(id)
    const item = replica.applyQueue.shift()
    if (item === undefined) {
      this.#tell('apply-idle', id, {})
      return
    }
    replica.apply(item.entries)
    this.#net.push(...item.responses)
    this.#tellDone('apply', id, item)
  }

  #tellDone(ev: string, id: number, item: RaftMessage): void {
    const { responses } = item
    const told = responses.length === 0 ? {} : { responses: responses.map((one) => showMessage(one)) }
    this.#tell(ev, id, { msg: showMessage(item, false), ...told })
  }

  #receive(received: RaftMessage): string | undefined {
    const err = this.#node(received.to).step(received)
    const shown = err === undefined ? {} : { err: err === 'peer-unknown' ? 'peer-not-found' : err }
    this.#tell('recv', received.to, { msg: showMessage(received), ...shown })
    return undefined
  }

  #deliver(ids: readonly number[], dropped: readonly number[], type: string | undefined): boolean {
    const wanted = ids.length === 0 && dropped.length === 0 ? [...this.#replicas.keys()] : ids
    let any = false
    const plan = [...wanted.map((id) => ({ id, drops: false })), ...dropped.map((id) => ({ id, drops: true }))]
    for (const { id, drops } of plan) {
      const isFor = (one: RaftMessage): boolean =>
        one.to === id &&
        (type === undefined || showType(one.type) === type) &&
        !(drops && (one.from === id || isStorageQueue(one.from)))
      const arriving = this.#net.filter(isFor)
      this.#net = this.#net.filter((one) => !isFor(one))
      any ||= arriving.length > 0
      for (const one of arriving) {
        if (drops) this.#tell('drop', id, { msg: showMessage(one) })
        else this.#receive(one)
      }
    }
    return any
  }

  #stabilize(ids: readonly number[]): void {
    for (let moved = true; moved;) {
      moved = false
      for (const id of ids) {
        if (!this.#node(id).hasReady()) continue
        moved = true
        this.#ready(id)
      }
      for (const id of ids) if (this.#deliver([id], [], undefined)) moved = true
      for (const id of ids) {
        while (this.#replica(id).appendQueue.length > 0) {
          moved = true
          this.#append(id)
        }
      }
      for (const id of ids) {
        while (this.#replica(id).applyQueue.length > 0) {
          moved = true
          this.#apply(id)
        }
      }
    }
  }

  #compact(id: number, index: number): string | undefined {
    const { disk } = this.#replica(id)
    if (index <= disk.previous.index) return 'compacted'
    disk.compact(index)
    return undefined
  }

  /** Every node as the traces tell it. */
  state(): Record<string, Event> {
    return Object.fromEntries([...this.#replicas].map(([id, replica]) => [String(id), showState(replica)]))
  }
}

const fixedTimeout = (id: number): number => 3 + ((id - 1) % 3)

/** As many bytes as the reference stores for it, for limits count them: a field of a transition, one for each change. */
function changePayload({ transition, changes, isOldForm }: ShownChange): Uint8Array {
  if (isOldForm === true) return new Uint8Array(6)
  if (transition === 'auto' && changes.length === 0) return new Uint8Array(0)
  return new Uint8Array(2 + changes.length * 6)
}
