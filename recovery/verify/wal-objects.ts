// Owns proving WAL objects whole, each once however often it is referred to: header, trailer, footer, and (deep) every batch against
// its checksum and against what the footer says of it.

import { default as PQueue } from 'p-queue'
import { isOpError } from '../../src/base/op-error.ts'
import { batchEnd, computeCrc, crcOf, leaderEpochOf, magicOf } from '../../src/protocol/index.ts'
import {
  type BatchDigest,
  digestOf,
  readStreamedHead,
  readStreamedHeader,
  streamDataFrom,
  type StreamedGroup,
  type StreamedObjectHead,
} from '../../tiers/stream/index.ts'
import type { LoadWorld } from '../stages/load-bucket.ts'
import type { Findings } from './findings.ts'

/** Objects are independent: read side by side. Each is at most a few MiB large. */
const objectsAtOnce = 8

export interface Depth {
  /** Read all data. Else only what stands around it. */
  readonly deep: boolean
}

export class WalObjects {
  readonly #world: LoadWorld
  readonly #findings: Findings
  readonly #depth: Depth
  readonly #onObject: () => void
  readonly #queue = new PQueue({ concurrency: objectsAtOnce })
  readonly #heads = new Map<string, Promise<StreamedObjectHead | undefined>>()

  constructor(world: LoadWorld, findings: Findings, options: Depth & { readonly onObject: () => void }) {
    this.#world = world
    this.#findings = findings
    this.#depth = options
    this.#onObject = options.onObject
  }

  get count(): number {
    return this.#heads.size
  }

  /** The object's head; undefined after its damage was named, or when it is gone. */
  check(key: string): Promise<StreamedObjectHead | undefined> {
    const known = this.#heads.get(key)
    if (known !== undefined) return known
    const head = this.#queue.add(() => this.#check(key))
    this.#heads.set(key, head)
    return head
  }

  async #check(key: string): Promise<StreamedObjectHead | undefined> {
    try {
      const head = await readStreamedHead(this.#world.store, key, this.#world.crc32c)
      if (head.kind === 'entries') {
        this.#findings.totals.walObjects += 1
        await this.#checkBody(head)
      }
      return head
    } catch (error) {
      if (!isOpError(error, 'corrupt', 'missing', 'invalid')) throw error
      const code = error.kind === 'missing' ? 'WAL_OBJECT_MISSING' : 'WAL_OBJECT_DAMAGED'
      this.#findings.damage(code, key, error.detail)
      return undefined
    } finally {
      this.#onObject()
    }
  }

  async #checkBody(head: Extract<StreamedObjectHead, { kind: 'entries' }>): Promise<void> {
    const { store } = this.#world
    const header = await readStreamedHeader(store, head.key)
    const [, life = '', , node] = /wal\/(\d{10})\/((\d{10})\/)?\d{16}$/.exec(head.key) ?? []
    if (header.life !== Number(life) || (node !== undefined && header.node !== Number(node)))
      this.#damaged(head.key, `it says that node ${header.node} of life ${header.life} wrote it`)
    let position: number = streamDataFrom
    for (const group of head.footer.groups) {
      if (group.position !== position)
        this.#damaged(head.key, `the run of ${nameOf(group)} stands at ${group.position}, the one before ends at ${position}`)
      position = group.position + group.length
    }
    if (!this.#depth.deep) return
    for (const group of head.footer.groups) {
      if (group.length === 0) continue
      const bytes = await store.getRange(head.key, group.position, group.position + group.length)
      this.#findings.totals.bytesRead += bytes.length
      this.#checkBatches(head.key, group, bytes)
    }
  }

  #checkBatches(key: string, group: StreamedGroup, bytes: Uint8Array): void {
    let at = 0
    for (const entry of group.entries) {
      if (entry.digest === undefined) continue
      const where = `entry ${entry.index} of ${nameOf(group)} at byte ${group.position + at}`
      if (batchEnd(bytes, at) !== at + entry.length || magicOf(bytes, at) !== 2) {
        this.#damaged(key, `${where} is no batch of ${entry.length} bytes`)
        return
      }
      const batch = bytes.subarray(at, at + entry.length)
      if (computeCrc(batch, 0, this.#world.crc32c) !== crcOf(batch))
        this.#damaged(key, `the batch of ${where} does not match its checksum`)
      else if (!isDescribed(digestOf(batch), entry.digest) || leaderEpochOf(batch) !== entry.term)
        this.#damaged(key, `the batch of ${where} is not the one that the footer describes`)
      at += entry.length
    }
    if (at !== bytes.length)
      this.#damaged(key, `${bytes.length - at} bytes behind the batches of ${nameOf(group)} belong to nothing`)
  }

  #damaged(key: string, detail: string): void {
    this.#findings.damage('WAL_OBJECT_DAMAGED', key, detail)
  }
}

const nameOf = (group: StreamedGroup): string => `${group.topicId}-${group.partition}`

/** Of a batch without a producer id the footer keeps neither epoch nor sequence: clients send anything there. */
function isDescribed(batch: BatchDigest, digest: BatchDigest): boolean {
  const fields: ReadonlyArray<keyof BatchDigest> = ['baseOffset', 'endOffset', 'maxTimestampMs', 'producerId', 'role']
  const ofProducer: ReadonlyArray<keyof BatchDigest> = digest.producerId < 0 ? [] : ['producerEpoch', 'baseSequence']
  return [...fields, ...ofProducer].every((name) => batch[name] === digest[name])
}
