// Owns the text of /metrics: what the sources say, labelled with the node's id, in Prometheus's format. prom-client is loaded at
// the first scrape, not at start. Does not own the figures (sources).

import type { Gauge, Registry } from 'prom-client'
import type { HistogramSample, MetricSource } from './metric-source.ts'

export interface ScrapeResult {
  readonly contentType: string
  readonly body: string
}

type PromClient = typeof import('prom-client')

export class Metrics {
  readonly #nodeId: string
  readonly #sources: MetricSource[] = []
  #loaded: Promise<{ readonly prom: PromClient; readonly registry: Registry }> | undefined = undefined
  #registered = 0

  constructor(nodeId: string) {
    this.#nodeId = nodeId
  }

  add(...sources: readonly MetricSource[]): void {
    this.#sources.push(...sources)
  }

  async scrape(): Promise<ScrapeResult> {
    // A bundler gives a CommonJS module a default export only; Node finds its names as well.
    this.#loaded ??= import('prom-client').then((module) => {
      const prom = (module as { readonly default?: PromClient }).default ?? module
      const registry = new prom.Registry()
      registry.setDefaultLabels({ node_id: this.#nodeId })
      return { prom, registry }
    })
    const { prom, registry } = await this.#loaded
    for (; this.#registered < this.#sources.length; this.#registered += 1) {
      register(prom, registry, this.#sources[this.#registered]!)
    }
    return { contentType: registry.contentType, body: await registry.metrics() }
  }
}

function register(prom: PromClient, registry: Registry, source: MetricSource): void {
  const { name, help, type } = source
  const labelNames = [...source.labelNames]
  if (type === 'histogram') {
    registry.registerMetric(histogramMetric(prom, source) as unknown as Gauge)
    return
  }
  const labelsOf = (labels: readonly string[]): Record<string, string> =>
    Object.fromEntries(labelNames.map((labelName, index) => [labelName, labels[index] ?? '']))
  // A counter of prom-client can only be added to; reset and added anew it shows what the field says.
  if (type === 'counter') {
    new prom.Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, value } of source.collect()) this.inc(labelsOf(labels), value)
      },
    })
    return
  }
  new prom.Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, value } of source.collect()) this.set(labelsOf(labels), value)
    },
  })
}

interface ExpositionValue {
  readonly metricName: string
  readonly value: number
  readonly labels: Record<string, string | number>
}

/**
 * prom-client's own histogram counts by itself and cannot be told figures, so this hands the registry ready samples in the shape
 * its exposition reads.
 */
function histogramMetric(prom: PromClient, source: Extract<MetricSource, { type: 'histogram' }>): object {
  const valuesOf = ({ labels, bounds, cumulative, count, sum }: HistogramSample): ExpositionValue[] => {
    const own = Object.fromEntries(source.labelNames.map((labelName, index) => [labelName, labels[index] ?? '']))
    const metricName = `${source.name}_bucket`
    return [
      ...bounds.map((bound, index) => ({ metricName, value: cumulative[index]!, labels: { ...own, le: bound } })),
      { metricName, value: count, labels: { ...own, le: '+Inf' } },
      { metricName: `${source.name}_sum`, value: sum, labels: own },
      { metricName: `${source.name}_count`, value: count, labels: own },
    ]
  }
  const metric = new prom.Gauge({ name: source.name, help: source.help, labelNames: [...source.labelNames], registers: [] })
  const get = (): Promise<object> =>
    Promise.resolve({
      name: source.name,
      help: source.help,
      type: 'histogram',
      aggregator: 'sum',
      values: [...source.collect()].flatMap(valuesOf),
    })
  return Object.assign(metric, { get })
}
