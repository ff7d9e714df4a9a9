// Owns the judgement of a crash in the middle of producing: which acknowledged batches are gone, and whether they may be. A topic with
// `bucket` durability may lose none; one with `quorum` durability only what was acknowledged in the last moments, and only its end.

import type { Difference } from './compare.ts'
import type { BatchPrint, Fingerprint } from './fingerprint.ts'

export type Durability = 'quorum' | 'bucket'

export interface Acknowledged {
  readonly topic: string
  readonly partition: number
  readonly durability: Durability
  readonly baseOffset: number
  readonly records: number
  /** As the producer made it: a broker must not change what it covers. */
  readonly crc: number
  /** On the same clock as the kill. */
  readonly atMs: number
}

export interface LossOfDurability {
  readonly acknowledgedBatches: number
  readonly acknowledgedRecords: number
  readonly lostBatches: number
  readonly lostRecords: number
  /** From the acknowledgement of the oldest lost batch to the kill: the recovery point that was had. 0 when nothing is lost. */
  readonly windowMs: number
}

export interface LossReport {
  readonly quorum: LossOfDurability
  readonly bucket: LossOfDurability
  readonly differences: readonly Difference[]
}

export function judgeLoss(
  acknowledged: readonly Acknowledged[],
  after: Fingerprint,
  limits: { readonly killedAtMs: number; readonly quorumWindowMsMax: number },
): LossReport {
  const differences: Difference[] = []
  const partitions = new Map(
    after.topics.flatMap(({ name, partitions: all }) =>
      all.map((one) => [`${name}-${one.partition}`, { endOffset: one.endOffset, batches: byOffset(one.batches) }] as const),
    ),
  )
  const lost: Acknowledged[] = []
  for (const one of acknowledged) {
    const where = `${one.topic}-${one.partition}@${one.baseOffset}`
    const partition = partitions.get(`${one.topic}-${one.partition}`)
    const batch = partition?.batches.get(one.baseOffset)
    if (batch !== undefined) {
      if (batch.crc === one.crc && batch.records === one.records) continue
      const show = (side: { readonly crc: number; readonly records: number }): string =>
        `${side.records} records, crc ${side.crc}`
      differences.push({ kind: 'acknowledged-altered', where, before: show(one), after: show(batch) })
      continue
    }
    // A hole is no "last moments": what comes behind it would have been acknowledged later.
    if (partition !== undefined && one.baseOffset < partition.endOffset) {
      differences.push({ kind: 'acknowledged-lost', where, before: 'acknowledged', after: 'a hole before the end' })
      continue
    }
    lost.push(one)
  }
  const judged = { quorum: sum('quorum', acknowledged, lost, limits), bucket: sum('bucket', acknowledged, lost, limits) }
  if (judged.bucket.lostBatches > 0) differences.push(tooMuch('bucket', judged.bucket, 'nothing may be lost'))
  if (judged.quorum.windowMs > limits.quorumWindowMsMax) {
    differences.push(tooMuch('quorum', judged.quorum, `at most what was acknowledged in the last ${limits.quorumWindowMsMax} ms`))
  }
  return { ...judged, differences }
}

const byOffset = (batches: readonly BatchPrint[]): ReadonlyMap<number, BatchPrint> =>
  new Map(batches.map((batch) => [batch.baseOffset, batch]))

function sum(
  durability: Durability,
  acknowledged: readonly Acknowledged[],
  lost: readonly Acknowledged[],
  { killedAtMs }: { readonly killedAtMs: number },
): LossOfDurability {
  const ofIt = acknowledged.filter((one) => one.durability === durability)
  const gone = lost.filter((one) => one.durability === durability)
  const records = (all: readonly Acknowledged[]): number => all.reduce((total, one) => total + one.records, 0)
  return {
    acknowledgedBatches: ofIt.length,
    acknowledgedRecords: records(ofIt),
    lostBatches: gone.length,
    lostRecords: records(gone),
    windowMs: gone.reduce((longest, one) => Math.max(longest, killedAtMs - one.atMs), 0),
  }
}

const tooMuch = (durability: Durability, loss: LossOfDurability, allowed: string): Difference => ({
  kind: 'acknowledged-lost',
  where: `topics with ${durability} durability`,
  before: allowed,
  after: `${loss.lostBatches} batches with ${loss.lostRecords} records are gone, the oldest acknowledged ${Math.round(loss.windowMs)} ms before the kill`,
})
