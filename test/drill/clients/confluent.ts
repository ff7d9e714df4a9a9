/** Owns driving confluent-kafka for Python through confluent.py: records go in over a pipe, at the pace at which it takes them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { existsSync } from 'node:fs'
import { tail } from '../../../localstack/index.ts'
import { pythonPath } from '../../support/tools/python.ts'
import type { DrillRecord, LoadOrder } from '../data/topic-set.ts'
import type { ConsumingClient, GroupOutcome, ProducingClient } from './client.ts'

/** The program may run bundled: the script is found from the repository's root. */
const script = (function find(folder: string): string {
  const path = join(folder, 'test', 'drill', 'clients', 'confluent.py')
  return existsSync(path) ? path : find(dirname(folder))
})(import.meta.dirname)

interface Running {
  readonly child: ChildProcess
  readonly answer: Promise<string>
}

function start(action: string, order: unknown): Running {
  const child = spawn(pythonPath(), ['-u', script, action, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  })
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (out[name] += text))
  }
  const answer = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      process.off('exit', killAtExit)
      if (code === 0) resolve(out.stdout)
      else reject(new Error(`confluent-kafka ${action} ended with ${code}\n${tail(out.stderr)}`))
    })
  })
  answer.catch(() => undefined)
  // A child that ends early is told by its answer, not by a broken pipe.
  child.stdin?.on('error', () => undefined)
  return { child, answer }
}

/** The layout is in confluent.py. */
function frame(load: number, { partition, timestampMs, key, value, headers }: DrillRecord): Buffer {
  const fixed = Buffer.alloc(18)
  fixed.writeUInt16BE(load, 0)
  fixed.writeInt32BE(partition, 2)
  fixed.writeBigInt64BE(BigInt(timestampMs), 6)
  fixed.writeInt32BE(key?.length ?? -1, 14)
  const pieces: Buffer[] = [fixed]
  if (key !== null) pieces.push(key)
  pieces.push(int32(value?.length ?? -1))
  if (value !== null) pieces.push(value)
  pieces.push(uint16(headers.length))
  for (const [name, bytes] of headers) pieces.push(uint16(Buffer.byteLength(name)), Buffer.from(name), int32(bytes.length), bytes)
  return Buffer.concat(pieces)
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

function uint16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export const confluent: ProducingClient & ConsumingClient = {
  produce: async (bootstrap, loads, batches) => {
    const order = loads.map(({ topic, codec, traits }) => ({ topic, codec, idempotent: traits.has('idempotent') }))
    const { child, answer } = start('produce', { bootstrap, loads: order })
    const numbers = new Map<LoadOrder, number>(loads.map((load, index) => [load, index]))
    for (const { load, records } of batches) {
      if (child.exitCode !== null || child.stdin === null) break
      const number = numbers.get(load) ?? 0
      const isRoomLeft = child.stdin.write(Buffer.concat(records.map((record) => frame(number, record))))
      if (!isRoomLeft) await Promise.race([once(child.stdin, 'drain'), answer])
      else await new Promise((resolve) => setImmediate(resolve))
    }
    child.stdin?.end()
    await answer
  },
  consume: async (order) => {
    const { child, answer } = start('consume', order)
    child.stdin?.end()
    return JSON.parse(await answer) as GroupOutcome
  },
}
