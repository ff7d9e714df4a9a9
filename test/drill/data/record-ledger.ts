/**
 * Owns what was sent, record by record, as short digests in order, and the comparison with what a broker gives back. Independent of
 * batches: it proves that records came through the clients and back, where fingerprints prove that a broker kept its bytes.
 */
import { createHash } from 'node:crypto'
import type { Difference } from '../../../recovery/drill/core/index.ts'
import { decodeRecords, type Decompress } from '../../../src/protocol/index.ts'
import { appendTimeTopics, type DrillRecord } from './topic-set.ts'

/** Grows by doubling: a million digests are eight megabytes. */
class Digests {
  #all = new BigUint64Array(1024)
  length = 0

  push(digest: bigint): void {
    if (this.length === this.#all.length) {
      const larger = new BigUint64Array(this.#all.length * 2)
      larger.set(this.#all)
      this.#all = larger
    }
    this.#all[this.length] = digest
    this.length += 1
  }

  slice(from: number): BigUint64Array {
    return this.#all.slice(from, this.length)
  }
}

let scratch = Buffer.alloc(64 * 1024)

/** Eight bytes of SHA-256 over time (unless the broker sets it), key, value and headers, each with its length. */
function digestOf(record: Omit<DrillRecord, 'partition'>, withTime: boolean): bigint {
  const pieces = [record.key, record.value, ...record.headers.flatMap(([name, value]) => [Buffer.from(name), value])]
  const needed = 16 + pieces.reduce((sum, piece) => sum + 4 + (piece?.length ?? 0), 0)
  if (scratch.length < needed) scratch = Buffer.alloc(needed * 2)
  scratch.writeDoubleBE(withTime ? record.timestampMs : 0, 0)
  scratch.writeInt32BE(record.headers.length, 8)
  let at = 12
  for (const piece of pieces) {
    scratch.writeInt32BE(piece?.length ?? -1, at)
    if (piece !== null) scratch.set(piece, at + 4)
    at += 4 + (piece?.length ?? 0)
  }
  return createHash('sha256').update(scratch.subarray(0, at)).digest().readBigUInt64BE(0)
}

export class RecordLedger {
  readonly #partitions = new Map<string, Map<string, Digests>>()
  records = 0
  /** Keys, values, names and values of headers. */
  payloadBytes = 0

  /** `writer` keeps its own order; writers of one partition may interleave. */
  add(topic: string, writer: string, record: DrillRecord): void {
    digestsOf(writersOf(this.#partitions, `${topic}-${record.partition}`), writer).push(
      digestOf(record, !appendTimeTopics.has(topic)),
    )
    this.records += 1
    this.payloadBytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
    for (const [name, value] of record.headers) this.payloadBytes += name.length + value.length
  }

  knows(topic: string, partition: number): boolean {
    return this.#partitions.has(`${topic}-${partition}`)
  }

  /** What differs between what was sent and what is there; retention may have taken the beginning. */
  compare(found: FoundRecords, startOffsets: ReadonlyMap<string, number>): readonly Difference[] {
    const differences: Difference[] = []
    for (const [where, writers] of this.#partitions) {
      const there = found.slice(where)
      const sent = [...writers.values()]
      const count = sent.reduce((sum, one) => sum + one.length, 0) - (startOffsets.get(where) ?? 0)
      const tell = (after: string): void => {
        differences.push({ kind: 'records-as-sent', where, before: `${count} records`, after })
      }
      if (there.length !== count) tell(`${there.length} records`)
      else if (sent.length === 1) {
        const wanted = sent[0]?.slice(startOffsets.get(where) ?? 0) ?? there
        const at = wanted.findIndex((digest, index) => digest !== there[index])
        if (at >= 0) tell(`record ${at} is another`)
      } else {
        const wanted = BigUint64Array.from(sent.flatMap((one) => [...one.slice(0)])).sort()
        const sorted = there.slice().sort()
        if (wanted.some((digest, index) => digest !== sorted[index])) tell('other records')
      }
    }
    return differences
  }
}

function digestsOf(writers: Map<string, Digests>, writer: string): Digests {
  const known = writers.get(writer) ?? new Digests()
  writers.set(writer, known)
  return known
}

function writersOf(partitions: Map<string, Map<string, Digests>>, where: string): Map<string, Digests> {
  const known = partitions.get(where) ?? new Map<string, Digests>()
  partitions.set(where, known)
  return known
}

/** The records a broker gave back. */
export class FoundRecords {
  readonly #partitions = new Map<string, Digests>()
  readonly #decompress: Decompress

  constructor(decompress: Decompress) {
    this.#decompress = decompress
  }

  addBatch(topic: string, partition: number, batch: Uint8Array): void {
    const decoded = decodeRecords(batch, 0, this.#decompress)
    if (decoded.kind === 'malformed') throw new Error(`${topic}-${partition}: a batch cannot be read: ${decoded.detail}`)
    const digests = digestsOf(this.#partitions, `${topic}-${partition}`)
    const withTime = !appendTimeTopics.has(topic)
    for (const { timestamp, key, value, headers } of decoded.records) {
      const named = headers.map(({ key: name, value: bytes }) => [name, Buffer.from(bytes ?? noBytes)] as const)
      digests.push(digestOf({ timestampMs: timestamp, key: bufferOf(key), value: bufferOf(value), headers: named }, withTime))
    }
  }

  slice(where: string): BigUint64Array {
    return this.#partitions.get(where)?.slice(0) ?? new BigUint64Array(0)
  }
}

const noBytes = new Uint8Array(0)

const bufferOf = (bytes: Uint8Array | null): Buffer | null =>
  bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
