/** Bytes that changed behind our back, on the local disk and in the bucket: named, mended from the bucket where it has them, never served. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { ErrorCode } from '../../src/protocol/index.ts'
import { type Broker, type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { createTopics, readPartition } from './support/requests.ts'
import { Wire } from './support/wire.ts'
import { metric, quickSettings, scratchFolder } from './support/world.ts'
import { Writer } from './support/writer.ts'

const damageFound = 1
/** Nothing reaches the bucket by itself while a test looks. */
const unstreamed = ['--stream-interval-ms', '1h', '--snapshot-interval-ms', '1h', '--segment-age-ms-max', '1h']

let scratch: ReturnType<typeof scratchFolder>
let bucket: string
let store: BrokerStore
let broker: Broker | undefined

beforeEach(() => {
  scratch = scratchFolder()
  bucket = join(scratch.dir, 'bucket')
  mkdirSync(bucket)
  store = { kind: 'local', dir: bucket }
})
afterEach(async () => {
  await broker?.stop()
  broker = undefined
  scratch.remove()
})

async function started(...extra: string[]): Promise<Broker> {
  broker = await startBroker({ store, extra: [...quickSettings, ...extra] })
  return broker
}

async function filled(on: Broker, topic: string, count: number): Promise<Writer> {
  await createTopics(on.kafkaPort, [{ name: topic, partitions: 1, durability: 'quorum' }])
  const writer = new Writer(on.kafkaPort, topic)
  while (writer.count < count) expect((await writer.write()).errorCode).toBe(ErrorCode.NONE)
  return writer
}

/** An idle WAL adds an empty commit: from then on all before is known to have been synced. */
async function marked(on: Broker): Promise<void> {
  const before = (await metric(on, 'chronik_wal_commits_total')) ?? 0
  await waitUntil(async () => ((await metric(on, 'chronik_wal_commits_total')) ?? 0) > before, {
    until: 'the WAL to mark what it has synced',
    timeoutMs: 20_000,
  })
}

const streamed = (on: Broker): Promise<void> =>
  waitUntil(async () => (await metric(on, 'chronik_stream_pending_bytes')) === 0, {
    until: 'all to be in the bucket',
    timeoutMs: 20_000,
  })

/** Changes one byte `beyond` the text's beginning, in every file of the folder that holds the text; answers their names. */
function flip(folder: string, text: string, beyond = 0): readonly string[] {
  const changed: string[] = []
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    const at = bytes.indexOf(text)
    if (at < 0) continue
    bytes[at + beyond]! ^= 0x41
    writeFileSync(path, bytes)
    changed.push(path.slice(folder.length + 1))
  }
  return changed
}

function flipAt(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x41
  writeFileSync(path, bytes)
}

const objects = (prefix: string): readonly string[] =>
  readdirSync(bucket, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.startsWith(prefix) && /\d{16}/.test(path.split('/').at(-1)!) && !path.includes('.tmp'))
    .sort()

async function read(on: Broker, topic: string): ReturnType<typeof readPartition> {
  const wire = await Wire.connect(on.kafkaPort)
  try {
    return await readPartition(wire, topic, 0)
  } finally {
    wire.close()
  }
}

it('a damaged WAL is named and costs nothing when the bucket has what it held', { timeout: 120_000 }, async () => {
  const on = await started()
  const writer = await filled(on, 'kept', 40)
  await marked(on)
  await streamed(on)
  await on.kill9()
  expect(flip(join(on.dir, 'wal'), 'kept:20|', 4).length).toBe(1)
  await on.restart({ extra: quickSettings })
  // A later batch in the bucket proves it: the one flipped lies before the last that was streamed.
  expect(on.logs()).toMatch(
    /DAMAGE: local WAL: WAL file \d+, bytes \d+ to \d+: batch checksum, entry \d+ of group \d+; nothing is lost by it/,
  )
  expect(await metric(on, 'chronik_recovery_damage')).toBeGreaterThan(0)
  expect(writer.compare((await read(on, 'kept')).records)).toEqual([])
})

it.each([
  ['in the middle', 20],
  ['at the end, where no gap shows,', 39],
])(
  'a WAL damaged %s of what the bucket lacks is refused, and --accept-wal-loss goes on and reports',
  { timeout: 120_000 },
  async (_, number) => {
    const on = await started(...unstreamed)
    const writer = await filled(on, 'kept', 40)
    await marked(on)
    await on.kill9()
    expect(flip(join(on.dir, 'wal'), `kept:${number}|`, 4).length).toBe(1)
    await on.restart({ extra: [...quickSettings, ...unstreamed], dontWait: true })
    expect((await on.exited()).code).toBe(damageFound)
    expect(on.logs()).toMatch(/WAL_DAMAGED: .*entry \d+ of group \d+.*not proven to hold what is missing.*--accept-wal-loss/)
    await on.restart({ extra: [...quickSettings, ...unstreamed, '--accept-wal-loss', 'true'] })
    expect(on.logs()).toMatch(/DAMAGE: the local WAL is damaged/)
    const survived = (await read(on, 'kept')).records
    expect(survived.map(({ value }) => value)).toEqual(
      Array.from({ length: number }, (_unused, at) => Writer.value('kept', at, 100)),
    )
    // What is written now takes the numbers of what was lost, and is what the next start finds.
    const again = new Writer(on.kafkaPort, 'kept', 77)
    for (let more = 0; more < 30; more += 1)
      expect(await again.write()).toEqual({ errorCode: ErrorCode.NONE, baseOffset: number + more })
    await on.kill9()
    await on.restart({ extra: [...quickSettings, ...unstreamed, '--accept-wal-loss', 'true'] })
    const found = (await read(on, 'kept')).records
    expect(found.slice(number).map(({ value }) => value)).toEqual(
      Array.from({ length: 30 }, (_unused, at) => Writer.value('kept', at, 77)),
    )
    expect(writer.count).toBe(40)
  },
)

it('a damaged snapshot is named and passed over for the one before it', { timeout: 120_000 }, async () => {
  const on = await started('--snapshot-interval-ms', '1s')
  const writer = await filled(on, 'kept', 20)
  await waitUntil(
    async () => {
      await writer.write()
      return objects('snapshots/').length >= 2
    },
    { until: 'a second snapshot', timeoutMs: 30_000, everyMs: 100 },
  )
  await streamed(on)
  await on.kill9()
  const newest = objects('snapshots/').at(-1)!
  flipAt(join(bucket, newest), 100)
  on.wipeDisk()
  await on.restart({ extra: [...quickSettings, '--takeover', 'true'] })
  expect(on.logs()).toContain('DAMAGE: group snapshot')
  expect(on.logs()).toContain('is passed over')
  expect(writer.compare((await read(on, 'kept')).records)).toEqual([])
})

it('a WAL object whose footer is damaged is refused at a cold start, by name', { timeout: 120_000 }, async () => {
  const on = await started('--snapshot-interval-ms', '1h', '--segment-age-ms-max', '1h')
  await filled(on, 'kept', 20)
  await streamed(on)
  await on.kill9()
  const last = objects('wal/').at(-1)!
  flipAt(join(bucket, last), -60)
  on.wipeDisk()
  await on.restart({ extra: [...quickSettings, '--takeover', 'true'], dontWait: true })
  expect((await on.exited()).code).toBe(damageFound)
  expect(on.logs()).toMatch(/WAL_OBJECT_CORRUPT: wal\/\d+\/\d+\/\d{16}/)
})

it.each([
  ['a WAL object', 'wal', '1h'],
  ['a segment', 'segments', '1s'],
] as const)('wrong bytes in %s are never served; other partitions are', { timeout: 120_000 }, async (_, folder, age) => {
  const on = await started('--segment-age-ms-max', age)
  const writer = await filled(on, 'kept', 20)
  const other = await filled(on, 'other', 20)
  await streamed(on)
  if (folder === 'segments')
    await waitUntil(async () => ((await metric(on, 'chronik_segments_archived_total')) ?? 0) >= 2, {
      until: 'both topics to be archived',
      timeoutMs: 30_000,
    })
  await streamed(on)
  await on.kill9()
  on.wipeDisk()
  expect(flip(join(bucket, folder), 'kept:7|', 4).length).toBeGreaterThan(0)
  await on.restart({ extra: [...quickSettings, '--takeover', 'true'] })
  await expect(read(on, 'kept')).rejects.toThrow(/KAFKA_STORAGE_ERROR|CORRUPT_MESSAGE/)
  expect(on.logs()).toContain('a read failed')
  expect(other.compare((await read(on, 'other')).records)).toEqual([])
  expect(writer.count).toBe(20)
})
