/** Owns driving kcat (librdkafka). It writes one line per record, so what it sends must fit in lines. */
import { tail } from '../../../localstack/index.ts'
import { kcat as runKcat } from '../../support/tools/kcat.ts'
import type { Client } from '../client.ts'
import type { SeenRecord, SentRecord } from '../records.ts'
import { joinByLines } from './lines.ts'

/** %h joins the headers with commas; the unit separator stands where no text of ours has it. */
const separator = '\x1f'
const format = ['%p', '%o', '%k', '%h', '%s'].join(separator) + '\n'

function seenOf(line: string): SeenRecord {
  const [partition, offset, key = '', headers = '', value = ''] = line.split(separator)
  return {
    partition: Number(partition),
    offset: Number(offset),
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: headers === '' ? [] : headers.split(',').map((pair) => splitHeader(pair)),
  }
}

function splitHeader(pair: string): [string, Buffer] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), Buffer.from(pair.slice(at + 1))]
}

/** kcat takes partition and headers for a whole run, so records that share them go together; each partition keeps its order. */
function* runsOf(records: readonly SentRecord[]): Generator<readonly SentRecord[]> {
  const partitions = new Set(records.map(({ partition }) => partition))
  for (const partition of partitions) yield records.filter((record) => record.partition === partition)
}

export const kcatClient: Client = {
  name: 'kcat',
  compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  traits: { textOnly: true, withoutHeaders: true },
  canBeIdempotent: true,
  produce: async (bootstrap, orders) => {
    for (const { topic, compression, idempotent, records } of orders) {
      for (const part of runsOf(records)) {
        const input = part.map(({ key, value }) => `${key?.toString()}${separator}${value?.toString()}\n`).join('')
        const settings = ['-X', 'acks=all', '-X', `enable.idempotence=${idempotent}`]
        const where = ['-P', '-b', bootstrap, '-t', topic, '-p', String(part[0]?.partition ?? 0), '-K', separator]
        const { code, stderr } = await runKcat([...where, '-z', compression, ...settings], input)
        if (code !== 0) throw new Error(`kcat could not produce\n${tail(stderr)}`)
      }
    }
  },
  consume: async (bootstrap, topic, count) => {
    const args = ['-C', '-q', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-c', String(count), '-f', format]
    const { code, stdout, stderr } = await runKcat(args)
    if (code !== 0) throw new Error(`kcat could not consume\n${tail(stderr)}`)
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => seenOf(line))
  },
  join: (bootstrap, topic, group) => {
    const settings = { 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 300, 'auto.commit.interval.ms': 200 }
    const more = Object.entries({ ...settings, 'auto.offset.reset': 'earliest', 'fetch.wait.max.ms': 100 })
    const args = ['-b', bootstrap, '-f', format, '-u', ...more.flatMap(([name, value]) => ['-X', `${name}=${value}`])]
    return Promise.resolve(
      joinByLines({
        command: 'kcat',
        args: [...args, '-G', group, topic],
        understand: (line, from) => {
          if (from === 'stdout') return { seen: [seenOf(line)] }
          const rebalanced = /rebalanced.*: (assigned|revoked): (.*)$/.exec(line)
          if (rebalanced === null) return undefined
          const numbers = [...(rebalanced[2] ?? '').matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number))
          return { assigned: rebalanced[1] === 'assigned' ? numbers : [] }
        },
      }),
    )
  },
}
