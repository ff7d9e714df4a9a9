/** Owns one member as the traces describe it: its core, what is on its disk, its state machine, and the queues of its storage. */
import {
  type Configuration,
  type HardState,
  type LogGap,
  nobody,
  type RaftEntry,
  type RaftMessage,
  RaftNode,
  type RaftOptions,
  type RaftSnapshot,
  type StableLog,
} from '../../src/raft/core/index.ts'
import { limited } from '../../src/raft/core/entry.ts'

const textOf = ({ payload }: RaftEntry): string => Buffer.from(payload).toString()

/** What is on disk. */
class MemoryLog implements StableLog {
  hard: HardState = { term: 0, vote: nobody, commit: 0 }
  entriesKept: RaftEntry[] = []
  previous: { index: number; term: number }
  readonly #snapshot: () => RaftSnapshot

  constructor(index: number, snapshot: () => RaftSnapshot) {
    this.previous = { index, term: index === 0 ? 0 : 1 }
    this.#snapshot = snapshot
  }

  firstIndex(): number {
    return this.previous.index + 1
  }

  lastIndex(): number {
    return this.previous.index + this.entriesKept.length
  }

  termAt(index: number): number | LogGap {
    if (index < this.previous.index) return 'compacted'
    if (index === this.previous.index) return this.previous.term
    return this.entriesKept[index - this.previous.index - 1]?.term ?? 'unavailable'
  }

  entries(start: number, end: number, bytesMax: number): readonly RaftEntry[] | LogGap {
    if (start <= this.previous.index) return 'compacted'
    return limited(this.entriesKept.slice(start - this.previous.index - 1, end - this.previous.index - 1), bytesMax)
  }

  maybeSnapshot(): RaftSnapshot {
    return this.#snapshot()
  }

  append(entries: readonly RaftEntry[]): void {
    const first = entries[0]
    if (first === undefined) return
    this.entriesKept = [...this.entriesKept.slice(0, first.index - this.previous.index - 1), ...entries]
  }

  install({ index, term }: RaftSnapshot): void {
    this.previous = { index, term }
    this.entriesKept = []
  }

  compact(index: number): void {
    if (index <= this.previous.index) return
    const term = this.termAt(index)
    this.entriesKept = this.entriesKept.slice(index - this.previous.index)
    this.previous = { index, term: Number(term) }
  }
}

interface Applied {
  readonly index: number
  readonly text: string
  readonly configuration: Configuration
}

export class Replica {
  readonly options: RaftOptions
  readonly disk: MemoryLog
  node: RaftNode
  /** What the state machine was after each entry it applied, the last last. */
  history: Applied[]
  appendQueue: RaftMessage[] = []
  applyQueue: RaftMessage[] = []

  constructor(options: RaftOptions, start: { readonly index: number; readonly configuration: Configuration }) {
    this.options = options
    this.history = [{ ...start, text: '' }]
    this.disk = new MemoryLog(start.index, () => this.snapshot())
    this.node = new RaftNode({
      options,
      log: this.disk,
      hard: undefined,
      configuration: start.configuration,
      appliedIndex: start.index,
    })
  }

  get machine(): Applied {
    return this.history.at(-1)!
  }

  snapshot(): RaftSnapshot {
    const { index, text, configuration } = this.machine
    const term = this.node.raft.log.termAt(index)
    return { index, term: Number(term), configuration, pointer: text }
  }

  apply(entries: readonly RaftEntry[]): void {
    for (const entry of entries) {
      const { text, configuration } = this.machine
      const next =
        entry.change === undefined
          ? { text: text + textOf(entry), configuration }
          : { text, configuration: this.node.applyChange(entry.change) }
      this.history.push({ index: entry.index, ...next })
    }
  }

  store(hard: HardState | undefined, entries: readonly RaftEntry[], snapshot: RaftSnapshot | undefined): void {
    if (hard !== undefined) this.disk.hard = hard
    if (snapshot !== undefined) this.disk.install(snapshot)
    this.disk.append(entries)
  }

  installMachine({ index, configuration, pointer }: RaftSnapshot): void {
    this.history.push({ index, text: String(pointer), configuration })
  }

  /** What was volatile is gone; the state machine goes back to what is known to be committed. */
  restart(): void {
    const { hard, previous } = this.disk
    const target = Math.max(hard.commit, previous.index)
    const isEmpty = hard.term === 0 && hard.vote === nobody && hard.commit === 0
    const kept = this.history.filter(({ index }) => index <= target)
    this.history = kept.length > 0 ? kept : this.history.slice(0, 1)
    this.appendQueue = []
    this.applyQueue = []
    this.node = new RaftNode({
      options: this.options,
      log: this.disk,
      // What was compacted had been committed, whether or not that was stored.
      hard: isEmpty ? undefined : { ...hard, commit: Math.max(hard.commit, previous.index) },
      configuration: this.machine.configuration,
      appliedIndex: this.machine.index,
    })
  }
}
