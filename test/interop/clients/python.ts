/** Owns driving the three Python clients through client.py. */
import { join as joinPath } from 'node:path'
import { pythonPath, runPython } from '../../support/tools/python.ts'
import type { Client, Compression } from '../client.ts'
import type { SeenRecord } from '../records.ts'
import { joinByLines } from './lines.ts'

const script = joinPath(import.meta.dirname, 'client.py')

interface WireRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string])[]
}

const fromBase64 = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'))
const toBase64 = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null

const seenOf = ({ partition, offset, key, value, headers }: WireRecord): SeenRecord => ({
  partition,
  offset,
  key: fromBase64(key),
  value: fromBase64(value),
  headers: headers.map(([name, bytes]) => [name, Buffer.from(bytes, 'base64')] as const),
})

async function call(library: string, action: string, request: unknown): Promise<string> {
  const { code, stdout, stderr } = await runPython(script, [library, action], JSON.stringify(request))
  if (code !== 0) throw new Error(`${library} ${action} ended with ${code}\n${stderr.slice(-4_000)}`)
  return stdout
}

const pythonClient = (library: string, compressions: readonly Compression[], protocol?: 'consumer'): Client => ({
  name: protocol === undefined ? library : `${library} in the ${protocol} protocol`,
  compressions,
  traits: {},
  canBeIdempotent: true,
  produce: async (bootstrap, orders) => {
    const wire = orders.map((order) => ({
      ...order,
      records: order.records.map(({ partition, key, value, headers }) => ({
        partition,
        key: toBase64(key),
        value: toBase64(value),
        headers: headers.map(([name, bytes]) => [name, toBase64(bytes)]),
      })),
    }))
    await call(library, 'produce', { bootstrap, orders: wire })
  },
  consume: async (bootstrap, topic, count) => {
    const stdout = await call(library, 'consume', { bootstrap, topic, count })
    return (JSON.parse(stdout) as WireRecord[]).map((record) => seenOf(record))
  },
  join: (bootstrap, topic, group) =>
    Promise.resolve(
      joinByLines({
        command: pythonPath(),
        args: ['-u', script, library, 'join', JSON.stringify({ bootstrap, topic, group, protocol })],
        understand: (line, from) => {
          if (from === 'stderr') return undefined
          const told = JSON.parse(line) as { assigned?: number[]; gained?: number[]; lost?: number[]; seen?: WireRecord }
          const { seen, ...assignment } = told
          return seen === undefined ? assignment : { seen: [seenOf(seen)] }
        },
      }),
    ),
})

const all: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export const confluentKafka = pythonClient('confluent-kafka', all)
export const confluentKafkaConsumer = pythonClient('confluent-kafka', all, 'consumer')
export const kafkaPython = pythonClient('kafka-python', all)
export const aioKafka = pythonClient('aiokafka', all)
