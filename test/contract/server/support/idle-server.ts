// Owns a front in a process of its own, so that its memory is not mixed with its clients'. The parent asks over the IPC channel.

import { startFront } from './running-front.ts'

const running = await startFront({ listener: { connectionsMax: 20_000 } })

process.on('message', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const open = running.front.metricSources().find(({ name }) => name === 'chronik_kafka_connections')!
  const connections = [...open.collect()].map((sample) => ('value' in sample ? sample.value : 0))[0]
  process.send!({ rss, heapUsed, external, connections, cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000 })
})
process.on('disconnect', () => {
  process.exit(0)
})
process.send!({ port: running.port })
