// Owns what `bucket verify` can find out, and counting it. Not how it is printed (cli) nor found.
//
//   damage    something that was acknowledged cannot be read, or could be lost: the bucket is not whole
//   garbage   an object nobody refers to: what crashes and old lives leave; the sweeper of a running broker collects it
//   note      worth knowing, no harm: a start that was not finished, a tail that never counted

export type Severity = 'damage' | 'garbage' | 'note'

export interface Finding {
  readonly severity: Severity
  /** Stable, upper-case. */
  readonly code: string
  /** The object it is about; a prefix where one is missing that has no name yet. */
  readonly key: string
  readonly detail: string
  readonly remedy: string
  readonly sizeBytes?: number
}

export interface VerifyTotals {
  lives: number
  objects: number
  bytes: number
  topics: number
  partitions: number
  /** Records between log start and end, over all partitions. */
  records: number
  walObjects: number
  segments: number
  /** Of data, to check it. */
  bytesRead: number
  garbageObjects: number
  garbageBytes: number
  damaged: number
}

export interface VerifyReport {
  readonly isWhole: boolean
  readonly findings: readonly Finding[]
  readonly totals: VerifyTotals
}

export const fromVersions = "restore it from the bucket's versions or a copy; without one, what only it holds is lost"

export class Findings {
  readonly list: Finding[] = []
  readonly totals: VerifyTotals = {
    lives: 0,
    objects: 0,
    bytes: 0,
    topics: 0,
    partitions: 0,
    records: 0,
    walObjects: 0,
    segments: 0,
    bytesRead: 0,
    garbageObjects: 0,
    garbageBytes: 0,
    damaged: 0,
  }

  damage(code: string, key: string, detail: string, remedy: string = fromVersions): void {
    this.totals.damaged += 1
    this.list.push({ severity: 'damage', code, key, detail, remedy })
  }

  garbage(code: string, object: { readonly key: string; readonly sizeBytes: number }, detail: string): void {
    this.totals.garbageObjects += 1
    this.totals.garbageBytes += object.sizeBytes
    const { key, sizeBytes } = object
    this.list.push({
      severity: 'garbage',
      code,
      key,
      detail,
      remedy: 'a running broker collects it, or it may be deleted',
      sizeBytes,
    })
  }

  note(code: string, key: string, detail: string, remedy: string): void {
    this.list.push({ severity: 'note', code, key, detail, remedy })
  }

  report(): VerifyReport {
    const order: Readonly<Record<Severity, number>> = { damage: 0, note: 1, garbage: 2 }
    const findings = [...this.list].sort((left, right) => order[left.severity] - order[right.severity])
    return { isWhole: this.totals.damaged === 0, findings, totals: this.totals }
  }
}
