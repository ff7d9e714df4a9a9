/** What the bench reads from the tools' words, and what it tells. */
import { describe, expect, it } from 'vitest'
import { readConsumePerf, readEndToEnd, readProducePerf } from './loads.ts'
import { rowsOf, spread } from './report.ts'

describe('the bench beside a peer', () => {
  it('reads the steady state of kafka-producer-perf-test, not the whole run', () => {
    const stdout = `200000 records sent, 55126.791621 records/sec (53.83 MB/sec), 388.68 ms avg latency, 623.00 ms max latency, 398 ms 50th, 608 ms 95th, 616 ms 99th, 620 ms 99.9th.
150000 steady state records sent, 60072.086504 records/sec (58.66 MB/sec), 459.79 ms avg latency, 623.00 ms max latency, 443 ms 50th, 610 ms 95th, 617 ms 99th, 620 ms 99.9th.
`
    const figures = { recordsPerSecond: 60072.086504, mibPerSecond: 58.66, meanMs: 459.79, p50Ms: 443, p99Ms: 617 }
    expect(readProducePerf(stdout)).toEqual(figures)
    expect(() => readProducePerf('WARN nothing')).toThrow('something else')
  })

  it('reads kafka-consumer-perf-test by its header', () => {
    const stdout = `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-11-22 17:35:58:866, 2026-11-22 17:36:00:094, 185.9854, 151.4539, 190449, 155088.7622, 302, 926, 200.8481, 205668.4665
`
    expect(readConsumePerf(stdout)).toEqual({
      recordsPerSecond: 155088.7622,
      mibPerSecond: 151.4539,
      fetchMibPerSecond: 200.8481,
    })
  })

  it('reads EndToEndLatency', () => {
    const stdout = '0\t72.6\nAvg latency: 3.0208 ms\nPercentiles: 50th = 1, 99th = 12, 99.9th = 72\n'
    expect(readEndToEnd(stdout)).toEqual({ meanMs: 3.0208, p50Ms: 1, p99Ms: 12 })
  })

  it('tells least, median and most, and the ratio of medians', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 })
    expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 })
    const runs = (...values: number[]) => values.map((x) => ({ figures: { x }, otherCpuShare: 0, seconds: 1 }))
    const one = {
      load: 'l',
      bench: 'produce',
      ours: { kind: 'chronik', runs: runs(4, 6), discarded: [] },
      peer: { kind: 'kafka', runs: runs(2), discarded: [] },
    } as const
    expect(rowsOf(one)[0]?.ratio).toBe(2.5)
    expect(rowsOf({ ...one, peer: { ...one.peer, runs: [] } })).toEqual([])
  })
})
