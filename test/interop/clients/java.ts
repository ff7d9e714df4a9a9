/**
 * Owns driving Apache Kafka's own Java clients through the tools that come with them: the console producer and consumer (lines of
 * text), and VerifiableConsumer as the member of a group. Starting a JVM costs a second or two of CPU: be sparing.
 */
import { javaArgs, javaTool } from '../../support/tools/kafka.ts'
import type { Client, Member } from '../client.ts'
import { digest, type SeenRecord, type SentRecord } from '../records.ts'
import { ToolHost } from '../support/tool-host.ts'
import { joinByLines } from './lines.ts'

const tools = 'org.apache.kafka.tools'

/** One JVM for the tools of a test file, from the first on; it ends with the end of its input, that is with this process. */
let sharedHost: ToolHost | undefined

/** The console consumer counts what it has read for the whole life of its JVM; what reads standard input would read the host's. */
const needsOwnJvm = (className: string, input: string | undefined): boolean =>
  input !== undefined || className === 'consumer.ConsoleConsumer'

export async function javaOrThrow(className: string, args: readonly string[], input?: string): Promise<string> {
  // Kafka's own classes by their short names; `kafka.admin.…` is whole as it is.
  const fullName = className.startsWith('kafka.') ? className : `${tools}.${className}`
  const { code, stdout, stderr } = await (needsOwnJvm(className, input)
    ? javaTool(fullName, args, input === undefined ? {} : { input })
    : (sharedHost ??= new ToolHost()).run(fullName, args))
  if (code !== 0) throw new Error(`${className} ended with ${code}\n${stdout.slice(-2_000)}${stderr.slice(-2_000)}`)
  return stdout
}

const property = (option: string, settings: Readonly<Record<string, string>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => [option, `${name}=${value}`])

/** headers TAB key TAB value; the partition is the client's own choice, by the key. */
function lineOf({ key, value, headers }: SentRecord): string {
  const pairs = headers.map(([name, bytes]) => `${name}:${bytes.toString()}`).join(',')
  return `${pairs === '' ? nullMarker : pairs}\t${key?.toString()}\t${value?.toString()}\n`
}

const nullMarker = '\\N'

function seenOf(line: string): SeenRecord {
  const [partition = '', offset = '', headers = '', key = '', value = ''] = line.split('\t')
  return {
    partition: Number(partition.replace('Partition:', '')),
    offset: Number(offset.replace('Offset:', '')),
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers:
      headers === 'NO_HEADERS'
        ? []
        : headers
            .split(',')
            .map((pair) => [pair.slice(0, pair.indexOf(':')), Buffer.from(pair.slice(pair.indexOf(':') + 1))] as const),
  }
}

const printed = { 'print.partition': 'true', 'print.offset': 'true', 'print.headers': 'true', 'print.key': 'true' }

/** With a group: reads on from what the group committed, and commits what it read. */
export async function consoleConsume(
  bootstrap: string,
  topic: string,
  count: number,
  group?: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<SeenRecord[]> {
  const where = ['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning', '--timeout-ms', '30000']
  const much = ['--max-messages', String(count), ...(group === undefined ? [] : ['--group', group])]
  const how = [...property('--formatter-property', printed), ...property('--command-property', settings)]
  const stdout = await javaOrThrow('consumer.ConsoleConsumer', [...where, ...much, ...how])
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => seenOf(line))
}

export const java: Client = {
  name: 'the Java client',
  compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  traits: { textOnly: true },
  canBeIdempotent: true,
  produce: async (bootstrap, orders) => {
    for (const { topic, compression, idempotent, records } of orders) {
      const reader = property('--reader-property', { 'parse.headers': 'true', 'parse.key': 'true', 'null.marker': nullMarker })
      const settings = property('--command-property', { acks: 'all', 'enable.idempotence': String(idempotent) })
      const where = ['--bootstrap-server', bootstrap, '--topic', topic, '--compression-codec', compression]
      await javaOrThrow('ConsoleProducer', [...where, ...reader, ...settings], records.map((record) => lineOf(record)).join(''))
    }
  },
  consume: (bootstrap, topic, count) => consoleConsume(bootstrap, topic, count),
  join: (bootstrap, topic, group) => Promise.resolve(verifiableMember({ bootstrap, topic, group })),
}

/** One VerifiableConsumer; in the consumer protocol the broker tells the session. */
export function verifiableMember(order: {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly protocol?: 'consumer'
  readonly instanceId?: string
}): Member {
  const { bootstrap, topic, group, protocol, instanceId } = order
  const where = ['--bootstrap-server', bootstrap, '--topic', topic, '--group-id', group, '--verbose']
  const how = protocol === undefined ? ['--session-timeout', '6000'] : ['--group-protocol', protocol]
  const who = instanceId === undefined ? [] : ['--group-instance-id', instanceId]
  return joinByLines({
    command: 'java',
    args: javaArgs(`${tools}.VerifiableConsumer`, [...where, ...how, ...who]),
    understand: (line, from) => {
      if (from === 'stderr' || !line.startsWith('{')) return undefined
      const told = JSON.parse(line) as VerifiableLine
      const numbers = told.partitions?.map(({ partition }) => partition) ?? []
      if (told.name === 'partitions_assigned') return { gained: numbers }
      if (told.name === 'partitions_revoked') return { lost: numbers }
      if (told.name !== 'record_data') return undefined
      const { partition = 0, offset = 0, key = null, value = null } = told
      return { seen: [{ partition, offset, key: bytes(key), value: bytes(value), headers: [] }] }
    },
  })
}

interface VerifiableLine {
  readonly name: string
  readonly partitions?: readonly { readonly partition: number }[]
  readonly partition?: number
  readonly offset?: number
  readonly key?: string | null
  readonly value?: string | null
}

const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))

/** The console producer chooses partitions itself: what must hold is the order of the records of one key. */
export function digestsByKey(records: readonly SentRecord[]): Record<string, string[]> {
  const byKey: Record<string, string[]> = {}
  for (const record of records) (byKey[record.key?.toString() ?? ''] ??= []).push(digest({ ...record, partition: 0 }))
  return byKey
}
