// Owns what /metrics and /health show, parsed as Prometheus would.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import { HttpFront } from '../../../src/server/index.ts'
import { fetchFrom, produceTo } from './support/requests.ts'
import { RecordingLog, type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let http: HttpFront
let address: string
let reason: string | undefined

beforeEach(async () => {
  reason = undefined
  running = await startFront()
  http = new HttpFront({ host: '127.0.0.1', port: 0, nodeId: 7, notReadyReason: () => reason, log: new RecordingLog() })
  const { port } = await http.start()
  address = `http://127.0.0.1:${port}`
})
afterEach(async () => {
  await http.close()
  await running.stop()
})

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Prometheus's text format: every line is a comment or `name{labels} value`. */
function parsed(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('# '))
    .map((line) => {
      const match = /^([a-z_]+)\{(.*)\} (\S+)$/.exec(line)
      if (match === null) throw new Error(`not a sample: ${line}`)
      const labels = Object.fromEntries([...match[2]!.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
      return { name: match[1]!, labels, value: Number(match[3]) }
    })
}

const scrape = async (): Promise<Sample[]> => parsed(await (await fetch(`${address}/metrics`)).text())

describe('/health', () => {
  it('is alive at once, and ready when it is', async () => {
    reason = 'recovering: 3 of 9 partitions'
    expect((await fetch(`${address}/health/live`)).status).toBe(200)
    const waiting = await fetch(`${address}/health/ready`)
    expect([waiting.status, await waiting.text()]).toEqual([503, 'recovering: 3 of 9 partitions\n'])
    reason = undefined
    expect((await fetch(`${address}/health/ready`)).status).toBe(200)
    expect((await fetch(`${address}/elsewhere`)).status).toBe(404)
    expect((await fetch(`${address}/metrics`, { method: 'POST' })).status).toBe(405)
  })
})

describe('/metrics', () => {
  it('is there before anything is added, with the node in every sample', async () => {
    const samples = await scrape()
    expect(samples.find(({ name }) => name === 'chronik_process_resident_memory_bytes')!.value).toBeGreaterThan(1 << 20)
    expect(samples.every(({ labels }) => labels['node_id'] === '7')).toBe(true)
  })

  it('counts requests, errors, bytes and latencies by API, and counts on at the next scrape', async () => {
    http.addMetrics(...running.front.metricSources())
    running.broker.add('t')
    const client = await running.client()
    for (let count = 0; count < 3; count += 1) await client.ask('Produce', 7, produceTo({ topic: 't' }))
    await client.ask('Fetch', 11, fetchFrom({ from: [['none', 0, 0]] }))
    const valueOf = (samples: readonly Sample[], name: string, labels: Record<string, string>): number | undefined =>
      samples.find(
        (sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      )?.value
    const first = await scrape()
    expect(valueOf(first, 'chronik_kafka_requests_total', { api: 'Produce' })).toBe(3)
    expect(valueOf(first, 'chronik_kafka_errors_total', { api: 'Fetch', error: 'UNKNOWN_TOPIC_OR_PARTITION' })).toBe(1)
    expect(valueOf(first, 'chronik_kafka_connections', {})).toBe(1)
    expect(valueOf(first, 'chronik_kafka_bytes_in_total', {})).toBeGreaterThan(300)
    const duration = 'chronik_kafka_request_duration_seconds'
    expect(valueOf(first, `${duration}_count`, { api: 'Produce' })).toBe(3)
    expect(valueOf(first, `${duration}_bucket`, { api: 'Produce', le: '+Inf' })).toBe(3)
    const buckets = first
      .filter(({ name, labels }) => name === `${duration}_bucket` && labels['api'] === 'Produce')
      .map(({ value }) => value)
    expect(buckets).toEqual([...buckets].sort((one, other) => one - other))
    await client.ask('Metadata', 9, metadataRequest({ topics: [] }))
    await client.ask('Produce', 7, produceTo({ topic: 't' }))
    const second = await scrape()
    expect(valueOf(second, 'chronik_kafka_requests_total', { api: 'Produce' })).toBe(4)
    expect(valueOf(second, 'chronik_kafka_requests_total', { api: 'Metadata' })).toBe(1)
  })

  it('names the type of each metric, histograms too', async () => {
    http.addMetrics(...running.front.metricSources())
    const text = await (await fetch(`${address}/metrics`)).text()
    expect(text).toContain('# TYPE chronik_kafka_request_duration_seconds histogram')
    expect(text).toContain('# TYPE chronik_kafka_requests_total counter')
    expect(text).toContain('# TYPE chronik_kafka_connections gauge')
  })
})
