// Owns the shape in which plain fields become metrics when somebody scrapes. Not the fields, nor Prometheus's format (metrics.ts).

export interface MetricSample {
  /** In the order of `labelNames`. */
  readonly labels: readonly string[]
  readonly value: number
}

export interface HistogramSample {
  readonly labels: readonly string[]
  /** Upper bounds ascending, without infinity, and how many values are at most each. */
  readonly bounds: readonly number[]
  readonly cumulative: readonly number[]
  readonly count: number
  readonly sum: number
}

export type MetricSource =
  | {
      readonly name: string
      readonly help: string
      readonly type: 'counter' | 'gauge'
      readonly labelNames: readonly string[]
      collect(): Iterable<MetricSample>
    }
  | {
      readonly name: string
      readonly help: string
      readonly type: 'histogram'
      readonly labelNames: readonly string[]
      collect(): Iterable<HistogramSample>
    }

/** A metric without labels of its own. */
export function plainMetric(type: 'counter' | 'gauge', name: string, help: string, value: () => number): MetricSource {
  return { name, help, type, labelNames: [], collect: () => [{ labels: [], value: value() }] }
}
