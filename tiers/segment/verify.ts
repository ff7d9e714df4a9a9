// Owns the full check of one segment, for `bucket verify`: the whole object streamed in bounded memory, every checksum, every claim
// of index and trailer. Not what is done about findings, nor whether the partition's log knows the segment.

import type { Crc32c } from '../../src/base/crc32c.ts'
import { isOpError } from '../../src/base/op-error.ts'
import type { ObjectReader } from '../ports.ts'
import { Findings, SegmentAudit, type SegmentFinding } from './core/audit.ts'
import { BatchWalk } from './core/batch-walk.ts'
import { scanStepBytes } from './core/limits.ts'
import type { SegmentFacts } from './core/segment-facts.ts'
import { readSegmentFacts, readTail, type SegmentTail } from './tail.ts'

export interface SegmentVerdict {
  readonly key: string
  /** Absent when the object does not even have a trailer that can be believed. */
  readonly facts?: SegmentFacts
  /** Empty: the segment is sound. At most `findingsMax`; `findingCount` counts all. */
  readonly findings: readonly SegmentFinding[]
  readonly findingCount: number
  readonly bytesRead: number
}

/** Damage is a finding; only the store's own failures (`retry`, `missing`, `denied` …) are thrown. */
export async function verifySegment(reader: ObjectReader, key: string, crc32c: Crc32c): Promise<SegmentVerdict> {
  let facts: SegmentFacts | undefined
  try {
    facts = await readSegmentFacts(reader, key, crc32c)
    const tail = await readTail(reader, facts, crc32c)
    const findings = await auditData(reader, { facts, tail }, crc32c)
    return { key, facts, findings: findings.kept, findingCount: findings.count, bytesRead: facts.sizeBytes }
  } catch (cause) {
    if (!isOpError(cause, 'corrupt')) throw cause
    const finding: SegmentFinding = { code: 'object', detail: cause.detail, start: 0, end: facts?.sizeBytes ?? 0 }
    return { key, ...(facts === undefined ? {} : { facts }), findings: [finding], findingCount: 1, bytesRead: 0 }
  }
}

async function auditData(
  reader: ObjectReader,
  segment: { readonly facts: SegmentFacts; readonly tail: SegmentTail },
  crc32c: Crc32c,
): Promise<Findings> {
  const { facts, tail } = segment
  const findings = new Findings()
  const audit = new SegmentAudit(tail.trailer, tail.index, findings)
  const walk = new BatchWalk(crc32c)
  let lost: string | undefined
  for await (const { start, bytes } of dataOf(reader, facts)) {
    const { chunkBytes } = tail.index
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const bad = tail.index.firstBadChunk(start + at, bytes.subarray(at, at + chunkBytes), crc32c)
      if (bad !== undefined) findings.add({ code: 'chunk', detail: 'the data does not match its checksum', ...bad })
    }
    if (lost !== undefined) continue
    lost = walk.push(bytes, (batch) => audit.batch(batch))
    if (lost !== undefined) findings.add({ code: 'batch', detail: lost, start: walk.position, end: facts.dataBytes })
  }
  if (lost !== undefined) return findings
  if (!walk.isBetweenBatches) {
    findings.add({ code: 'batch', detail: 'the data ends inside a batch', start: walk.position, end: facts.dataBytes })
  }
  audit.finish()
  return findings
}

/** The data region in steps of whole checksum chunks. */
export async function* dataOf(
  reader: ObjectReader,
  facts: SegmentFacts,
): AsyncGenerator<{ readonly start: number; readonly bytes: Uint8Array }, void, undefined> {
  for (let start = 0; start < facts.dataBytes; start += scanStepBytes) {
    const bytes = await reader.getRange(facts.key, start, Math.min(facts.dataBytes, start + scanStepBytes))
    yield { start, bytes }
  }
}
