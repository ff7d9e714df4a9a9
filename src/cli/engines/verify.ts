// Owns how the findings of `bucket verify` are told. Not finding them (recovery/verify).

import { crc32c } from '../../base/node/native-crc32c.ts'
import { systemClock } from '../../base/node/system-clock.ts'
import { type Finding, verifyBucket, type VerifyTotals } from '../../../recovery/index.ts'
import type { Line, VerifyBucket } from '../ports.ts'

const headings: Readonly<Record<Finding['severity'], string>> = { damage: 'DAMAGE ', note: 'note   ', garbage: 'garbage' }

function lineOf(finding: Finding): Line {
  const { severity, code, key, detail, remedy, sizeBytes } = finding
  const size = sizeBytes === undefined ? '' : `, ${sizeBytes} bytes`
  const where = key === '' ? '' : ` ${key}${size}:`
  // What a person should do with garbage is the same each time: the totals say it once.
  const text = `${headings[severity]} ${code}${where} ${detail}${severity === 'garbage' ? '' : `; ${remedy}`}`
  return { text, json: finding }
}

function totalsLine(totals: VerifyTotals, isWhole: boolean, location: string): Line {
  const { lives, topics, partitions, records, segments, walObjects, objects, bytes, bytesRead } = totals
  const lines = [
    `${location}: ${objects} objects, ${bytes} bytes; ${lives} lives, ${topics} topics, ${partitions} partitions, ${records} records`,
    `${segments} segments and ${walObjects} WAL objects checked, ${bytesRead} bytes of data read`,
    ...(totals.garbageObjects === 0
      ? []
      : [`${totals.garbageObjects} objects are garbage (${totals.garbageBytes} bytes); a running broker collects it in time`]),
    isWhole ? 'The bucket is whole.' : `The bucket is DAMAGED: ${totals.damaged} findings.`,
  ]
  return { text: lines.join('\n'), json: { severity: 'totals', ...totals } }
}

export const verify: VerifyBucket = async (store, onProgress, options) => {
  const world = { store, clock: systemClock, crc32c, onProgress }
  const { isWhole, findings, totals } = await verifyBucket(world, options)
  return { isWhole, lines: [...findings.map(lineOf), totalsLine(totals, isWhole, store.location)] }
}
