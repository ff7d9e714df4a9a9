// Owns comparing a segment's batches, one after the other, with what its index and trailer claim. Not reading them (verify.ts).

import type { WalkedBatch } from './batch-walk.ts'
import type { SegmentTrailer } from './format.ts'
import { findingsMax } from './limits.ts'
import type { SegmentIndex } from './segment-index.ts'

export type FindingCode = 'object' | 'chunk' | 'batch' | 'order' | 'index' | 'totals'

export interface SegmentFinding {
  readonly code: FindingCode
  readonly detail: string
  /** Where in the object. */
  readonly start: number
  readonly end: number
}

/** Findings in the order of discovery; the first `findingsMax` are kept, all are counted. */
export class Findings {
  readonly kept: SegmentFinding[] = []
  count = 0

  add(finding: SegmentFinding): void {
    this.count += 1
    if (this.kept.length < findingsMax) this.kept.push(finding)
  }
}

interface RunTime {
  readonly maxTimestampMs: number
  readonly offsetOfMaxTimestamp: number
}

const noTime: RunTime = { maxTimestampMs: -1, offsetOfMaxTimestamp: -1 }

export class SegmentAudit {
  readonly #trailer: SegmentTrailer
  readonly #index: SegmentIndex
  readonly #findings: Findings
  #nextRun = 0
  #runTime = noTime
  #totalTime = noTime
  #minTimestampMs = -1
  #endOffset: number
  #leaderEpoch = -1
  #recordCount = 0
  #batchCount = 0

  constructor(trailer: SegmentTrailer, index: SegmentIndex, findings: Findings) {
    this.#trailer = trailer
    this.#index = index
    this.#findings = findings
    this.#endOffset = trailer.baseOffset
  }

  batch({ header, position, isSound }: WalkedBatch): void {
    const range = { start: position, end: position + header.sizeBytes }
    const note = (code: FindingCode, detail: string): void => this.#findings.add({ code, detail, ...range })
    if (!isSound) note('batch', `the batch at offset ${header.baseOffset} does not match its CRC`)
    const isGap = header.baseOffset > this.#endOffset && !this.#trailer.gapsAllowed
    if (isGap || header.baseOffset < this.#endOffset) note('order', `offset ${header.baseOffset} follows ${this.#endOffset}`)
    if (header.leaderEpoch < this.#leaderEpoch) note('order', `leader epoch ${header.leaderEpoch} follows ${this.#leaderEpoch}`)
    this.#checkRun(position, header.baseOffset, note)
    this.#endOffset = header.endOffset
    this.#leaderEpoch = header.leaderEpoch
    this.#recordCount += header.recordCount
    this.#batchCount += 1
    const time = { maxTimestampMs: header.maxTimestampMs, offsetOfMaxTimestamp: header.baseOffset }
    if (time.maxTimestampMs > this.#runTime.maxTimestampMs) this.#runTime = time
    if (time.maxTimestampMs > this.#totalTime.maxTimestampMs) this.#totalTime = time
    const min = header.minTimestampMs
    if (min >= 0 && (this.#minTimestampMs < 0 || min < this.#minTimestampMs)) this.#minTimestampMs = min
  }

  /** After the last batch. */
  finish(): void {
    const { trailer, range } = { trailer: this.#trailer, range: { start: 0, end: this.#trailer.dataBytes } }
    const note = (code: FindingCode, detail: string): void => this.#findings.add({ code, detail, ...range })
    this.#closeRun(note)
    if (this.#nextRun < this.#index.entryCount)
      note('index', `${this.#index.entryCount - this.#nextRun} entries point at no batch`)
    const claims: ReadonlyArray<readonly [string, number, number]> = [
      ['records', trailer.recordCount, this.#recordCount],
      ['batches', trailer.batchCount, this.#batchCount],
      ['smallest timestamp', trailer.minTimestampMs, this.#minTimestampMs],
      ['largest timestamp', trailer.maxTimestampMs, this.#totalTime.maxTimestampMs],
      ['offset of the largest timestamp', trailer.offsetOfMaxTimestamp, this.#totalTime.offsetOfMaxTimestamp],
    ]
    for (const [what, claimed, found] of claims) {
      if (claimed !== found) note('totals', `${what}: the trailer says ${claimed}, the data ${found}`)
    }
    const isEndRight = trailer.gapsAllowed ? this.#endOffset <= trailer.endOffset : this.#endOffset === trailer.endOffset
    if (!isEndRight) note('totals', `end offset: the trailer says ${trailer.endOffset}, the data ${this.#endOffset}`)
  }

  #checkRun(position: number, baseOffset: number, note: (code: FindingCode, detail: string) => void): void {
    while (this.#nextRun < this.#index.entryCount && this.#index.positions[this.#nextRun]! <= position) {
      this.#closeRun(note)
      const entry = this.#index.entry(this.#nextRun)
      if (entry.position !== position || entry.offset !== baseOffset) {
        note(
          'index',
          `entry ${this.#nextRun} says offset ${entry.offset} at ${entry.position}; there is ${baseOffset} at ${position}`,
        )
      }
      this.#nextRun += 1
    }
  }

  #closeRun(note: (code: FindingCode, detail: string) => void): void {
    if (this.#nextRun === 0) return
    const entry = this.#index.entry(this.#nextRun - 1)
    const found = this.#runTime
    if (entry.maxTimestampMs !== found.maxTimestampMs || entry.offsetOfMaxTimestamp !== found.offsetOfMaxTimestamp) {
      note('index', `entry ${this.#nextRun - 1} claims time ${entry.maxTimestampMs}; its batches reach ${found.maxTimestampMs}`)
    }
    this.#runTime = noTime
  }
}
