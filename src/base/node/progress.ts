// Owns the one line that tells a person how far a long task is. In a pipe it says nothing: logs and scripts want results.

import type { Clock } from '../clock.ts'
import { systemClock } from './system-clock.ts'

export interface ProgressOutput {
  readonly isTerminal: boolean
  error(text: string): void
}

export interface Progress {
  /** Cheap: draws at most every 100 ms. */
  readonly update: (done: number, total: number) => void
  /** Clears the line. */
  readonly end: () => void
}

const drawIntervalMs = 100
const clearLine = '\r\u001b[K'

export function progressOn(output: ProgressOutput, label: string, clock: Clock = systemClock): Progress {
  if (!output.isTerminal) return { update: () => undefined, end: () => undefined }
  let drawnAtMs = -Infinity
  return {
    update: (done, total) => {
      const nowMs = clock.monotonicMs()
      if (nowMs - drawnAtMs < drawIntervalMs) return
      drawnAtMs = nowMs
      const percent = total > 0 ? ` ${Math.floor((100 * done) / total)} %` : ''
      output.error(`${clearLine}${label} ${done}${total > 0 ? `/${total}` : ''}${percent}`)
    },
    end: () => {
      if (drawnAtMs !== -Infinity) output.error(clearLine)
    },
  }
}
