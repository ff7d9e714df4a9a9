import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import { leaderEpoch } from '../../../../src/model/ids.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { encodeFence, encodeStreamObject, numberedKey, readStreamedHead, streamLimits } from '../../../../tiers/stream/index.ts'
import { turns } from '../../../support/manual-clock.ts'
import { prefix, streamWorld, type StreamWorld } from './stream-fixture.ts'

const key = (sequence: number): string => numberedKey(prefix, sequence)
const sequences = (world: StreamWorld): number[] => world.told.map((object) => object.sequence)

async function keys(world: StreamWorld): Promise<string[]> {
  const found: string[] = []
  for await (const facts of world.bucket.list('')) found.push(facts.key)
  return found
}

describe('gathering', () => {
  it('waits the interval for company, then stores one object with all groups in order', async () => {
    const world = streamWorld()
    world.streamer.add(world.batch(2), false)
    world.streamer.add(world.batch(1), false)
    world.clock.advance(999)
    world.streamer.add(world.batch(2), false)
    await turns()
    expect(await keys(world)).toEqual([])
    world.clock.advance(1)
    await turns()
    expect(await keys(world)).toEqual([key(0)])
    const head = await readStreamedHead(world.bucket, key(0), crc32c)
    expect(head.kind === 'entries' && head.footer.groups.map(({ group, entries }) => [group, entries.length])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(world.told).toMatchObject([
      {
        sequence: 0,
        key: key(0),
        shares: [
          { group: 1, lastIndex: 1 },
          { group: 2, lastIndex: 2, extent: { baseOffset: 0, endOffset: 2 } },
        ],
      },
    ])
  })

  it('never writes when there is nothing to write', async () => {
    const world = streamWorld()
    world.clock.advance(60_000)
    await world.streamer.flush()
    expect([await keys(world), world.clock.timers]).toEqual([[], 0])
  })

  it('hurries for an urgent entry, also when it comes second', async () => {
    const world = streamWorld()
    world.streamer.add(world.batch(1), false)
    world.clock.advance(50)
    world.streamer.add(world.batch(1), true)
    world.streamer.add(world.batch(1), false)
    world.clock.advance(49)
    await turns()
    expect(sequences(world)).toEqual([])
    world.clock.advance(1)
    await turns()
    expect(sequences(world)).toEqual([0])
  })

  it('goes back to the long interval after an urgent one', async () => {
    const world = streamWorld()
    world.streamer.add(world.batch(1), true)
    world.clock.advance(100)
    await turns()
    world.streamer.add(world.batch(1), false)
    world.clock.advance(999)
    await turns()
    expect(sequences(world)).toEqual([0])
    world.clock.advance(1)
    await turns()
    expect(sequences(world)).toEqual([0, 1])
  })

  it('stores at once when enough has gathered', async () => {
    const world = streamWorld()
    for (let made = 0; made < 3; made += 1) world.streamer.add(world.batch(1, 4000), false)
    await turns()
    expect(sequences(world)).toEqual([0])
  })

  it('keeps control entries in the footer and gives them no extent', async () => {
    const world = streamWorld()
    world.streamer.add(world.control(5, Uint8Array.of(1, 2, 3)), false)
    await world.streamer.flush()
    const head = await readStreamedHead(world.bucket, key(0), crc32c)
    const entries = head.kind === 'entries' ? head.footer.groups[0]?.entries : []
    expect(entries).toMatchObject([{ kind: 'control', payload: Uint8Array.of(1, 2, 3) }])
    expect(world.told[0]?.shares).toEqual([{ group: 5, lastIndex: 1, extent: undefined }])
  })
})

describe('several uploads at a time', () => {
  it('STREAM-1: are told in order, however they arrive', async () => {
    const world = streamWorld({ objectBytesMax: 1 })
    const first = world.store.inject({ fault: { kind: 'hang' }, keys: /0000$/ })
    for (let made = 0; made < 3; made += 1) world.streamer.add(world.batch(1), false)
    await turns()
    expect(await keys(world)).toEqual([key(1), key(2)])
    expect([sequences(world), world.streamer.firstUntold, world.streamer.nextSequence]).toEqual([[], 0, 3])
    first.remove()
    await turns()
    expect([sequences(world), world.streamer.firstUntold]).toEqual([[0, 1, 2], 3])
  })

  it('are never more than allowed', async () => {
    const world = streamWorld({ objectBytesMax: 1 })
    const all = world.store.inject({ fault: { kind: 'hang' }, operations: ['putIfAbsent'] })
    for (let made = 0; made < 8; made += 1) world.streamer.add(world.batch(1), false)
    await turns()
    expect(all.hanging).toBe(3)
    all.remove()
    await turns()
    expect(sequences(world)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('make fuller objects while they queue up, and forget nothing that is urgent', async () => {
    const world = streamWorld({ uploadsInFlightMax: 1 })
    const all = world.store.inject({ fault: { kind: 'hang' } })
    world.streamer.add(world.batch(1), false)
    world.clock.advance(1000)
    await turns()
    world.streamer.add(world.batch(1), true)
    world.clock.advance(100)
    world.streamer.add(world.batch(1), false)
    world.clock.advance(100)
    all.remove()
    await turns()
    world.clock.advance(0)
    await turns()
    expect(sequences(world)).toEqual([0, 1])
    expect(world.told[1]?.shares[0]?.lastIndex).toBe(3)
  })
})

describe('memory', () => {
  it('lets go of payloads beyond the bound and reads them back from the WAL', async () => {
    const world = streamWorld({ objectBytesMax: 2 * streamLimits.heldBytesMax })
    const big = world.batch(1, streamLimits.heldBytesMax - 1000)
    const small = world.batch(1, 2000)
    const { payload } = small
    world.streamer.add(big, false)
    world.streamer.add(small, false)
    expect([big.payload === undefined, small.payload]).toEqual([false, undefined])
    await world.streamer.flush()
    expect([world.reads, world.streamer.counters.spilledEntries]).toEqual([1, 1])
    const stored = await world.bucket.get(key(0))
    const extent = world.told[0]?.shares[0]?.extent
    expect(Buffer.from(stored.subarray((extent?.position ?? 0) + big.position.length)).indexOf(Buffer.from(payload ?? []))).toBe(
      0,
    )
    expect(big.payload).toBeUndefined()
  })

  it('holds again what fits, once the rest is stored', async () => {
    const world = streamWorld({ objectBytesMax: 2 * streamLimits.heldBytesMax })
    world.streamer.add(world.batch(1, streamLimits.heldBytesMax - 100), false)
    await world.streamer.flush()
    const next = world.batch(1, 5000)
    world.streamer.add(next, false)
    expect(next.payload).toBeDefined()
  })

  it('ends when the WAL cannot give a payload back', async () => {
    const world = streamWorld()
    const entry = world.batch(1)
    entry.payload = undefined
    world.payloads.clear()
    world.streamer.add(entry, false)
    await expect(world.streamer.flush()).rejects.toMatchObject({ kind: 'closed' })
    expect(world.ended).toHaveLength(1)
  })

  it('tells how much waits, since when, and in which file of the WAL', async () => {
    const world = streamWorld()
    expect([world.streamer.behindMs(), world.streamer.pendingBytes, world.streamer.oldestPendingFile]).toEqual([0, 0, undefined])
    const hang = world.store.inject({ fault: { kind: 'hang' } })
    const first = world.batch(1)
    world.streamer.add(first, false)
    world.clock.advance(1500)
    const second = world.batch(1)
    world.streamer.add(second, false)
    world.clock.advance(200)
    expect(world.streamer.behindMs()).toBe(1700)
    expect(world.streamer.pendingBytes).toBe(first.position.length + second.position.length)
    expect(world.streamer.oldestPendingFile).toBe(first.position.file)
    hang.remove()
    await turns()
    expect([world.streamer.behindMs(), world.streamer.pendingBytes]).toEqual([200, second.position.length])
    await world.streamer.flush()
    expect([world.streamer.behindMs(), world.streamer.pendingBytes, world.streamer.oldestPendingFile]).toEqual([0, 0, undefined])
  })
})

describe('flush, prove, close', () => {
  it('flush resolves when everything added before it has been told', async () => {
    const world = streamWorld()
    world.streamer.add(world.batch(1), false)
    const flushed = world.streamer.flush()
    world.streamer.add(world.batch(1), false)
    await flushed
    expect(sequences(world)).toEqual([0])
    expect(world.streamer.nextSequence).toBe(1)
  })

  it('prove stores an object even when there is nothing to say', async () => {
    const world = streamWorld()
    await world.streamer.prove()
    await world.streamer.prove()
    const head = await readStreamedHead(world.bucket, key(1), crc32c)
    expect(head.kind === 'entries' && head.footer).toEqual({ term: 3, groups: [] })
    expect(sequences(world)).toEqual([0, 1])
  })

  it('prove fails when a fence stands at the next number', async () => {
    const world = streamWorld()
    await world.bucket.put(key(0), [encodeFence({ byLife: 2, by: 'the next', atMs: 5 })])
    await expect(world.streamer.prove()).rejects.toMatchObject({ kind: 'closed', code: 'STREAM_ENDED' })
    expect(world.ended).toMatchObject([{ kind: 'fenced', code: 'FENCED' }])
    expect(String(world.ended[0])).toContain('life 2, set by the next')
  })

  it('look finds the fence that an idle writer would not meet, and writes nothing', async () => {
    const world = streamWorld()
    await world.streamer.look()
    expect([await keys(world), world.ended]).toEqual([[], []])
    await world.bucket.put(key(0), [encodeFence({ byLife: 2, by: 'the next', atMs: 5 })])
    await world.streamer.look()
    expect(world.ended).toMatchObject([{ kind: 'fenced', code: 'FENCED' }])
    await world.streamer.look()
    expect(world.ended).toHaveLength(1)
    await expect(world.streamer.flush()).rejects.toMatchObject({ code: 'STREAM_ENDED' })
  })

  it('look takes an object of its own that arrives meanwhile for nobody else’s', async () => {
    const world = streamWorld()
    const head = world.store.inject({ fault: { kind: 'hang' }, operations: ['head'] })
    const looked = world.streamer.look()
    world.streamer.add(world.batch(1), false)
    await world.streamer.flush()
    head.remove()
    await looked
    expect([sequences(world), world.ended]).toEqual([[0], []])
  })

  it('look leaves it to the upload while one is under way, and says when the bucket does not answer', async () => {
    const world = streamWorld()
    world.streamer.add(world.batch(1), false)
    const head = world.store.inject({ fault: { kind: 'unreachable' }, operations: ['head'] })
    await world.streamer.look()
    await world.streamer.flush()
    await expect(world.streamer.look()).rejects.toMatchObject({ kind: 'retry' })
    head.remove()
    expect(world.ended).toEqual([])
  })

  it('close uploads the rest, also what comes while it does', async () => {
    const world = streamWorld()
    const hang = world.store.inject({ fault: { kind: 'hang' } })
    world.streamer.add(world.batch(1), false)
    const closed = world.streamer.close(new Promise(() => undefined))
    await turns()
    world.streamer.add(world.batch(1), false)
    hang.remove()
    await closed
    expect(sequences(world)).toEqual([0, 1])
    expect(world.ended).toEqual([])
  })

  it('close gives up when it is told to, and tells nobody afterwards', async () => {
    const world = streamWorld()
    const hang = world.store.inject({ fault: { kind: 'hang' } })
    world.streamer.add(world.batch(1), false)
    await world.streamer.close(Promise.resolve())
    hang.remove()
    await turns()
    expect([world.told, world.ended]).toEqual([[], []])
    await expect(world.streamer.flush()).rejects.toMatchObject({ code: 'STREAM_ENDED' })
    await expect(world.streamer.prove()).rejects.toMatchObject({ code: 'STREAM_ENDED' })
  })
})

describe('a store that fails', () => {
  it('is tried again with growing pauses, and the object arrives once', async () => {
    const world = streamWorld()
    const fault = world.store.inject({ fault: { kind: 'unreachable' }, operations: ['putIfAbsent'], times: 7 })
    world.streamer.add(world.batch(1), false)
    const flushed = world.streamer.flush()
    let waited = 0
    while (fault.struck < 7) {
      await turns()
      world.clock.advance(100)
      waited += 100
    }
    await turns()
    world.clock.advance(streamLimits.retryPauseMsMax)
    await flushed
    expect(world.streamer.counters.retries).toBe(7)
    expect(waited).toBeGreaterThan(200 + 400 + 800 + 1600 + 3200)
    expect(sequences(world)).toEqual([0])
  })

  it('I3: finds its own bytes after an answer was lost, and goes on', async () => {
    const world = streamWorld()
    world.store.inject({ fault: { kind: 'lost' }, operations: ['putIfAbsent'], times: 1 })
    world.streamer.add(world.batch(1), false)
    const flushed = world.streamer.flush()
    await turns()
    world.clock.advance(1000)
    await flushed
    expect([sequences(world), world.ended]).toEqual([[0], []])
  })

  it('I3: ends at bytes of another writer, whatever they are', async () => {
    for (const foreign of [new Uint8Array(0), new Uint8Array(100).fill(7), Buffer.from('CHRKFENC')]) {
      const world = streamWorld()
      await world.bucket.put(key(0), [foreign])
      world.streamer.add(world.batch(1), false)
      await expect(world.streamer.flush()).rejects.toBeInstanceOf(OpError)
      expect(world.ended).toMatchObject([{ kind: 'fenced' }])
    }
  })

  it('I3: bytes that only begin as its own are another writer’s', async () => {
    const probe = streamWorld()
    probe.streamer.add(probe.batch(1), false)
    await probe.streamer.flush()
    const own = await probe.bucket.get(key(0))
    const world = streamWorld()
    await world.bucket.put(key(0), [own, Uint8Array.of(0)])
    world.streamer.add(world.batch(1), false)
    await expect(world.streamer.flush()).rejects.toBeInstanceOf(OpError)
    expect(world.told).toEqual([])
  })

  it('I7: nothing is told after the end, not even what had arrived beyond the fence', async () => {
    const world = streamWorld({ objectBytesMax: 1 })
    await world.bucket.put(key(1), [encodeFence({ byLife: 2, by: 'x', atMs: 1 })])
    const first = world.store.inject({ fault: { kind: 'hang' }, keys: /0000$/ })
    for (let made = 0; made < 3; made += 1) world.streamer.add(world.batch(1), false)
    await turns()
    first.remove()
    await turns()
    world.streamer.add(world.batch(1), false)
    await turns()
    expect([sequences(world), world.ended.length]).toEqual([[], 1])
  })

  it('a flush under way rejects when the writer ends', async () => {
    const world = streamWorld({ objectBytesMax: 1 })
    await world.bucket.put(key(0), [encodeFence({ byLife: 2, by: 'x', atMs: 1 })])
    world.streamer.add(world.batch(1), false)
    world.streamer.add(world.batch(1), false)
    await expect(world.streamer.flush()).rejects.toMatchObject({ code: 'STREAM_ENDED' })
  })
})

it('an object of another life with the same entries is not taken for its own', async () => {
  const bucket = memoryStore()
  const world = streamWorld({ bucket })
  const { body } = encodeStreamObject([], { life: 2, node: 1, term: leaderEpoch(3), createdMs: world.clock.nowMs() }, crc32c)
  await bucket.put(key(0), body)
  await expect(world.streamer.prove()).rejects.toBeInstanceOf(OpError)
})
