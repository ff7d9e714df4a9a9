/** Owns a drill's report for a person. The one for programs is the report itself, as JSON. */
import type { Difference, Durability } from '../../recovery/drill/core/index.ts'
import type { ColdStartReport, CrashReport, DrillReport } from './drill.ts'

/** More are counted, not listed; the JSON report has them all. */
const listedMax = 50

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
const seconds = (value: number): string => `${value.toFixed(1)} s`
const count = (value: number): string => value.toLocaleString('en-US')

function requests(all: Readonly<Record<string, number>>): string {
  const used = Object.entries(all).filter(([, number]) => number > 0)
  const total = used.reduce((sum, [, number]) => sum + number, 0)
  return `${count(total)} (${used.map(([operation, number]) => `${operation} ${count(number)}`).join(', ')})`
}

function coldStart(what: string, { takeover, startMs, recovery }: ColdStartReport): readonly string[] {
  const phases = recovery.phases.map((one) => `${one.phase} ${one.durationMs} ms/${one.requests}`).join(', ')
  return [
    `${what} (${takeover ? 'with' : 'without'} takeover): ready after ${count(startMs)} ms, of which recovery ${count(recovery.durationMs)} ms with ${count(recovery.requests)} requests`,
    `  by phase (time/requests): ${phases}`,
    `  ${count(recovery.records)} records, ${count(recovery.segments)} segments known, ${count(recovery.walObjects)} WAL objects read`,
  ]
}

function crash({ durabilities, coldStart: start, loss }: CrashReport): readonly string[] {
  const line = (durability: Durability): string => {
    const { acknowledgedRecords, lostRecords, windowMs } = loss[durability]
    const when = lostRecords === 0 ? '' : `, all acknowledged within the last ${count(Math.round(windowMs))} ms`
    return `  ${durability} topics: ${count(acknowledgedRecords)} records acknowledged, ${count(lostRecords)} of them lost${when}`
  }
  return [
    ...coldStart(`killed while producing to ${durabilities.join(' and ')} topics, cold start`, start),
    ...durabilities.map((durability) => line(durability)),
  ]
}

function differences(all: readonly Difference[]): readonly string[] {
  if (all.length === 0) return ['NO DIFFERENCE']
  const listed = all.slice(0, listedMax).map((one) => `  ${one.kind} ${one.where}: ${one.before} -> ${one.after}`)
  const more = all.length > listedMax ? [`  … and ${all.length - listedMax} more`] : []
  return [`${all.length} DIFFERENCES (kind, where: before -> after)`, ...listed, ...more]
}

export function render(report: DrillReport): string {
  const { sent, compared, withoutWaiting, memory } = report
  const clients = Object.entries(sent.clients).map(([name, one]) => `${name} ${count(one.records)} in ${seconds(one.seconds)}`)
  return [
    `=== drill against ${report.store}, seed ${report.seed} ===`,
    `sent: ${count(sent.records)} records, ${megabytes(sent.payloadBytes)} of keys, values and headers, ${megabytes(sent.storedBytes)} of batches as stored, in ${seconds(sent.seconds)}`,
    `  ${sent.topics} topics, ${sent.partitions} partitions, ${report.segments} segments, ${count(report.expiredRecords)} records expired by retention; ${clients.join('; ')}`,
    `consumed: ${Object.entries(report.consumed)
      .map(([group, records]) => `${group} ${count(records)}`)
      .join(', ')}`,
    `requests before the crash: ${requests(report.requests.beforeTheCrash)}`,
    ...(report.bucketBytes === undefined ? [] : [`bucket at the end: ${megabytes(report.bucketBytes)} in its store`]),
    ...coldStart('cold start', report.coldStart),
    `requests of the second life, with reading everything back: ${requests(report.requests.afterTheColdStart)}`,
    `compared: ${count(compared.topics)} topics, ${count(compared.partitions)} partitions, ${count(compared.batches)} batches, ${count(compared.records)} records, ${megabytes(compared.sizeBytes)}, ${count(compared.configs)} configs, ${count(compared.timeAnswers)} offsets by time, ${count(compared.groups)} groups, ${count(compared.committedOffsets)} committed offsets`,
    ...withoutWaiting.flatMap((one) => crash(one)),
    `memory of the broker, at most: ${memory.beforeTheCrash.residentMbMax} MB before the crash, ${memory.afterTheColdStart.residentMbMax} MB after the cold start`,
    `phases: ${report.phases.map((one) => `${one.phase} ${seconds(one.seconds)}`).join(', ')}`,
    ...differences(report.differences),
    '',
  ].join('\n')
}
