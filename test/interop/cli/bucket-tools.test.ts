/**
 * Owns the proof that the tools for buckets work as a person calls them: the built program, a real broker's bucket and disk, exit
 * codes, text and JSON. What each finding means is tested in test/unit/recovery.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitUntil } from '../../../localstack/index.ts'
import { type Broker, brokerProgram, isBrokerBuilt, startBroker } from '../../support/tools/broker.ts'
import { createTopic } from '../../support/tools/topic.ts'

interface Run {
  readonly exitCode: number | null
  readonly out: string
  readonly error: string
}

describe.skipIf(!isBrokerBuilt() && process.env['CI'] !== 'true')('tools for buckets', () => {
  let home: string
  let bucket: string
  let broker: Broker
  /** Of the topic `archived`; other topics get segments too, a second after they were written to. */
  let archivedSegments = 'segments/'

  const chronik = (...args: readonly string[]): Run => {
    const env = { ...process.env, OBJECT_STORE_BACKEND: 'local', LOCAL_STORE_DIR: bucket }
    const done = spawnSync(process.execPath, [brokerProgram(), ...args], { env, encoding: 'utf8', cwd: home })
    return { exitCode: done.status, out: done.stdout, error: done.stderr }
  }
  const lines = ({ out }: Run): Array<Record<string, unknown>> =>
    out
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const keys = (prefix: string): string[] =>
    lines(chronik('bucket', 'ls', '--json', '--prefix', prefix)).map(({ key }) => String(key))
  const dumpSegment = (key: string, ...more: readonly string[]): Array<Record<string, unknown>> =>
    lines(chronik('dump', 'segment', '--key', key, '--json', ...more))
  const archivedRecords = (): number =>
    keys(archivedSegments).reduce((sum, key) => sum + Number(dumpSegment(key)[0]?.['recordCount']), 0)
  /** A local store keeps each object as a file of its own bytes. */
  const fileOf = (key: string): string => {
    const path = join(bucket, `${key}.object`)
    expect(existsSync(path)).toBe(true)
    return path
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'chronik-tools-'))
    bucket = join(home, 'bucket')
    broker = await startBroker({
      dir: join(home, 'disk'),
      store: { kind: 'local', dir: bucket },
      extra: ['--segment-age-ms-max', '1s', '--stream-interval-ms', '100ms'],
    })
    const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
    await createTopic(broker.bootstrap, 'archived', 1)
    await createTopic(broker.bootstrap, 'fresh', 2)
    const producer = kafka.producer()
    await producer.connect()
    const value = 'value '.repeat(40)
    for (let at = 0; at < 5; at += 1) {
      const compression = at % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.None
      await producer.send({
        topic: 'archived',
        compression,
        messages: [
          { key: `key ${at}`, value, headers: { h: 'x' } },
          { key: null, value: null },
        ],
      })
    }
    await waitUntil(() => Promise.resolve(keys('segments/').length > 0), { until: 'a segment', timeoutMs: 30_000, everyMs: 200 })
    archivedSegments = (keys('segments/')[0] ?? '').split('/').slice(0, 3).join('/') + '/'
    // On a slow machine the sends take longer than a segment may age: there may be several segments then, ten records in all.
    await waitUntil(() => Promise.resolve(archivedRecords() === 10), {
      until: 'all ten in segments',
      timeoutMs: 30_000,
      everyMs: 200,
    })
    await producer.send({ topic: 'fresh', messages: [{ key: 'a', value: Buffer.from([0, 1, 255]) }] })
    await producer.disconnect()
    const consumer = kafka.consumer({ groupId: 'readers' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'archived', fromBeginning: true })
    await consumer.run({ eachMessage: () => Promise.resolve() })
    await waitUntil(async () => (await committedOffset(kafka)) === 10, { until: 'the commit', timeoutMs: 30_000, everyMs: 100 })
    await consumer.disconnect()
  }, 120_000)

  async function committedOffset(kafka: Kafka): Promise<number> {
    const admin = kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchOffsets({ groupId: 'readers', topics: ['archived'] })
    await admin.disconnect()
    return Number(offsets[0]?.partitions[0]?.offset ?? -1)
  }

  afterAll(async () => {
    await broker.stop()
    rmSync(home, { recursive: true, force: true })
  }, 60_000)

  it('verify calls the bucket of a running broker whole', () => {
    const { exitCode, out, error } = chronik('bucket', 'verify')
    expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' })
    expect(out).toContain('The bucket is whole.')
    expect(out).not.toContain('DAMAGE')
  })

  it('ls lists keys under a prefix with sizes, for people and for programs', () => {
    const listed = chronik('bucket', 'ls', '--prefix', 'cluster/')
    expect([listed.exitCode, listed.error]).toEqual([0, ''])
    expect(listed.out).toMatch(
      /^ +\d+ {2}cluster\/0000000001\/claim\n +\d+ {2}cluster\/0000000001\/open\n2 objects, \d+ bytes in local:/,
    )
    const [claim] = lines(chronik('bucket', 'ls', '--prefix', 'cluster/', '--json'))
    expect(claim).toEqual({
      key: 'cluster/0000000001/claim',
      sizeBytes: expect.any(Number) as number,
      lastModifiedMs: expect.any(Number) as number,
    })
    expect(chronik('bucket', 'ls', '--prefix', 'nothing/').out).toMatch(/^0 objects, 0 bytes/)
  })

  it('the rest looks at what the broker leaves when it stops in order', async () => {
    expect((await broker.sigterm()).code).toBe(0)
    const { exitCode, out } = chronik('bucket', 'verify', '--json')
    expect(exitCode).toBe(0)
    const { whole, findings } = JSON.parse(out) as { whole: boolean; findings: Array<Record<string, unknown>> }
    expect(whole).toBe(true)
    expect(findings.at(-1)).toMatchObject({ severity: 'totals', lives: 1, damaged: 0 })
    expect(keys('snapshots/').length).toBeGreaterThan(1)
  }, 60_000)

  it('dump object shows entries and their meaning, with records when asked', () => {
    const [, key = ''] = keys('wal/')
    const plain = lines(chronik('dump', 'object', '--key', key, '--json'))
    expect(plain.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['header', 'trailer', 'group', 'batch']))
    expect(plain.some(({ kind }) => kind === 'record')).toBe(false)
    const all = keys('wal/').flatMap((one) => lines(chronik('dump', 'object', '--key', one, '--json', '--records')))
    const records = all.filter(({ kind }) => kind === 'record')
    expect(records).toContainEqual(
      expect.objectContaining({ offset: 0, key: 'key 0', valueBytes: 240, headers: [{ key: 'h', value: 'x' }] }),
    )
    expect(records).toContainEqual(expect.objectContaining({ key: null, keyBytes: -1, value: null }))
    expect(records).toContainEqual(expect.objectContaining({ value: '0x0001ff' }))
    expect(all).toContainEqual(expect.objectContaining({ kind: 'control', isSound: true }))
    const text = chronik('dump', 'object', '--key', key, '--records').out
    expect(text).toMatch(/WAL object of node 1, life 1, \d{4}-/)
  })

  it('dump object shows snapshots, records of lives and segments as well', () => {
    const snapshot = chronik('dump', 'object', '--key', keys('snapshots/').at(-1) ?? '')
    expect([snapshot.exitCode, snapshot.error]).toEqual([0, ''])
    expect(snapshot.out).toMatch(/segment segments\/.*offsets 0 to \d+/)
    expect(snapshot.out).toMatch(/segment segments\/.*offsets \d+ to 10/)
    expect(snapshot.out).toMatch(/group readers: .*\n +archived-0 offset 10/)
    const metadata = chronik('dump', 'object', '--key', keys('metadata/snapshots/').at(-1) ?? '')
    expect(metadata.out).toMatch(/topic archived .*: groups 1, configs/)
    expect(chronik('dump', 'object', '--key', 'cluster/0000000001/open').out).toMatch(/state: "serving"\n/)
    expect(lines(chronik('dump', 'object', '--json', '--key', 'heartbeat/0000000001/0000000001'))).toMatchObject([
      { kind: 'json', state: 'closed' },
    ])
    const counts = keys(archivedSegments).map((key) => {
      const [first] = lines(chronik('dump', 'object', '--json', '--key', key))
      expect(first).toMatchObject({ kind: 'segment', key })
      return Number(first?.['recordCount'])
    })
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10)
  })

  it('dump segment shows trailer, index and batches, from the bucket and from a file', () => {
    const [key = ''] = keys(archivedSegments)
    const fromBucket = chronik('dump', 'segment', '--key', key, '--json', '--records')
    expect(fromBucket.exitCode).toBe(0)
    const kinds = lines(fromBucket).map(({ kind }) => kind)
    expect([...new Set(kinds)]).toEqual(['segment', 'index', 'batch', 'record'])
    const offsets = keys(archivedSegments).flatMap((one) =>
      dumpSegment(one, '--records').flatMap(({ kind, offset }) => (kind === 'record' ? [Number(offset)] : [])),
    )
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    const copy = join(home, 'copy')
    writeFileSync(copy, readFileSync(fileOf(key)))
    expect(chronik('dump', 'segment', '--file', copy, '--json', '--records').out).toBe(fromBucket.out)
  })

  it('dump wal shows commits and frames, and whose disk it is', () => {
    const folder = join(home, 'disk', 'wal')
    const [file = ''] = readdirSync(folder).filter((name) => name.startsWith('wal-'))
    const shown = chronik('dump', 'wal', '--file', join(folder, file), '--records', '--json')
    expect([shown.exitCode, shown.error]).toEqual([0, ''])
    const found = lines(shown)
    expect(found[0]).toMatchObject({ kind: 'file', file: 1 })
    expect(found).toContainEqual(
      expect.objectContaining({
        kind: 'metadata',
        value: expect.objectContaining({ kind: 'create-topic', name: 'archived' }) as unknown,
      }),
    )
    expect(found).toContainEqual(
      expect.objectContaining({ kind: 'control', value: expect.objectContaining({ kind: 'segment-published' }) as unknown }),
    )
    expect(found).toContainEqual(expect.objectContaining({ kind: 'record', key: 'key 4' }))
    expect(found.at(-1)).toMatchObject({ kind: 'end' })
    expect(chronik('dump', 'wal', '--file', join(folder, 'identity.json')).out).toMatch(/life: 1\n/)
  })

  it('damage ends a dump with 1, after what came before it; what is not there with 3; nothing named with 2', () => {
    const [, key = ''] = keys('wal/')
    const bytes = readFileSync(fileOf(key))
    const bent = join(home, 'bent')
    const body = Buffer.from(bytes)
    body[70] = (body[70] ?? 0) ^ 1
    writeFileSync(bent, body)
    const marked = chronik('dump', 'object', '--file', bent)
    expect(marked.exitCode).toBe(1)
    expect(marked.out).toContain('CHECKSUM DOES NOT MATCH')
    expect(marked.error).toContain('WAL_OBJECT_DAMAGED: 1 places')
    writeFileSync(bent, bytes.subarray(0, bytes.length - 10))
    const cut = chronik('dump', 'object', '--file', bent)
    expect([cut.exitCode, cut.out]).toEqual([1, expect.stringContaining('WAL object of node 1')])
    expect(cut.error).toContain('WAL_OBJECT_CORRUPT')
    writeFileSync(bent, 'neither this nor that')
    expect(chronik('dump', 'object', '--file', bent)).toMatchObject({
      exitCode: 1,
      error: expect.stringContaining('UNKNOWN_OBJECT') as string,
    })
    expect(chronik('dump', 'segment', '--file', bent).exitCode).toBe(1)
    expect(chronik('dump', 'wal', '--file', bent).exitCode).toBe(1)
    expect(chronik('dump', 'object', '--key', 'wal/nothing').exitCode).toBe(3)
    expect(chronik('dump', 'object').exitCode).toBe(2)
    expect(chronik('dump', 'wal', '--file', join(home, 'nothing')).exitCode).toBe(2)
  })

  it('verify names damage with its key and ends with 1; --shallow does not read data', () => {
    const [key = ''] = keys('segments/')
    const path = fileOf(key)
    const sound = readFileSync(path)
    const bent = Buffer.from(sound)
    bent[70] = (bent[70] ?? 0) ^ 1
    writeFileSync(path, bent)
    const deep = chronik('bucket', 'verify')
    expect(deep.exitCode).toBe(1)
    expect(deep.out).toMatch(new RegExp(`^DAMAGE +SEGMENT_DAMAGED ${key}: .*restore`, 'm'))
    expect(deep.out).toContain('The bucket is DAMAGED')
    expect(chronik('bucket', 'verify', '--shallow').exitCode).toBe(0)
    writeFileSync(path, sound)
    expect(chronik('bucket', 'verify').exitCode).toBe(0)
  })

  it('a store that cannot be reached ends with 3', () => {
    const env = {
      ...process.env,
      OBJECT_STORE_BACKEND: 's3',
      S3_BUCKET: 'x',
      S3_ENDPOINT: 'http://127.0.0.1:1',
      S3_ACCESS_KEY: 'a',
      S3_SECRET_KEY: 'b',
    }
    const done = spawnSync(process.execPath, [brokerProgram(), 'bucket', 'verify'], { env, encoding: 'utf8' })
    expect(done.status).toBe(3)
    expect(done.stderr).toContain('BUCKET_UNREACHABLE')
  }, 120_000)
})
