// Owns the report of a start: what was found, what was done, how long each phase took, what was lost. Damage is named, never
// skipped in silence. Its keeping is the caller's.

export interface PhaseReport {
  readonly phase: string
  readonly durationMs: number
  readonly requests: number
}

export interface SetBackOffset {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
}

export interface RecoveryReport {
  readonly mode: 'fresh' | 'resume' | 'cold-start'
  clusterId: string
  life: number
  parentLife: number
  cuts: ReadonlyArray<{ readonly prefix: string; readonly sequence: number }>
  topics: number
  partitions: number
  /** Records between log start and end, over all partitions. */
  records: number
  segments: number
  archivedBytes: number
  walObjects: number
  /** Entries taken from the local WAL beyond what was in the bucket. */
  localEntries: number
  phases: PhaseReport[]
  requests: number
  durationMs: number
  setBackOffsets: readonly SetBackOffset[]
  /** How long before the cut the last object of the old life was written, at most: what a `quorum` topic may have lost. */
  recoveryPoint: string
  damage: string[]
}

export function emptyReport(mode: RecoveryReport['mode']): RecoveryReport {
  return {
    mode,
    clusterId: '',
    life: 0,
    parentLife: 0,
    cuts: [],
    topics: 0,
    partitions: 0,
    records: 0,
    segments: 0,
    archivedBytes: 0,
    walObjects: 0,
    localEntries: 0,
    phases: [],
    requests: 0,
    durationMs: 0,
    setBackOffsets: [],
    recoveryPoint: '',
    damage: [],
  }
}

/** For a person: a line a fact. */
export function reportLines(report: RecoveryReport): readonly string[] {
  const cuts = report.cuts.map((cut) => `${cut.prefix}@${cut.sequence}`).join(', ')
  return [
    `${report.mode} of cluster ${report.clusterId}, life ${report.life}${report.parentLife > 0 ? ` from life ${report.parentLife}` : ''}${cuts === '' ? '' : `, cut at ${cuts}`}`,
    `${report.topics} topics, ${report.partitions} partitions, ${report.records} records, ${report.segments} segments (${report.archivedBytes} bytes), ${report.walObjects} WAL objects read, ${report.localEntries} entries from the local WAL`,
    `${Math.round(report.durationMs)} ms, ${report.requests} requests: ${report.phases.map((one) => `${one.phase} ${Math.round(one.durationMs)} ms/${one.requests}`).join(', ')}`,
    report.recoveryPoint,
    ...report.setBackOffsets.map(
      (one) => `set back: group ${one.group}, ${one.topic}-${one.partition}, from ${one.from} to ${one.to}`,
    ),
    ...report.damage.map((what) => `DAMAGE: ${what}`),
  ].filter((line) => line !== '')
}
