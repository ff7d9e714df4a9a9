// Owns the one contract of an object store: every backend and every wrapper passes it. Does not own what only one backend does.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isOpError } from '../../../src/base/op-error.ts'
import { compareKeys } from '../../../tiers/object-store/index.ts'
import type { ListOptions, ObjectStore } from '../../../tiers/ports.ts'

export interface StoreUnderTest {
  readonly store: ObjectStore
  /** A second handle on the same objects; the same store where there is no other. */
  readonly other: ObjectStore
  stop(): Promise<void>
}

export interface ContractOrder {
  start(): Promise<StoreUnderTest>
  readonly startTimeoutMs?: number
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (body: Uint8Array): string => Buffer.from(body).toString()
const racers = 32

async function keysOf(store: ObjectStore, prefix: string, options?: ListOptions): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, options)) keys.push(key)
  return keys
}

async function* inParts(body: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size)
}

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable('should have been refused'),
    (error: unknown) => error,
  )
}

async function expectKind(work: Promise<unknown>, kind: 'missing' | 'invalid'): Promise<void> {
  const error = await rejection(work)
  expect(isOpError(error, kind), String(error)).toBe(true)
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += 32) await Promise.all(items.slice(at, at + 32).map(work))
}

export function describeObjectStore(name: string, order: ContractOrder): void {
  describe(`the contract of an object store: ${name}`, () => {
    let subject: StoreUnderTest
    const timeout = 120_000
    beforeAll(async () => {
      subject = await order.start()
    }, order.startTimeoutMs ?? timeout)
    afterAll(async () => {
      await subject?.stop()
    }, timeout)
    const current = (): StoreUnderTest => subject

    describe('reading', () => readingTests(current))
    describe('writing', () => writingTests(current))
    describe('races', () => raceTests(current), timeout)
    describe('listing', () => listingTests(current), timeout)
    describe('deleting', () => deletingTests(current), timeout)
    describe('multipart', () => multipartTests(current), timeout)
  })
}

function readingTests(current: () => StoreUnderTest): void {
  test('what was put comes back, pieces back to back', async () => {
    const { store, other } = current()
    await store.put('read/pieces', [bytes('one'), bytes(''), bytes('two'), bytes('three')])
    expect(text(await other.get('read/pieces'))).toBe('onetwothree')
  })

  test('a body of thousands of pieces comes back whole', async () => {
    const { store } = current()
    const whole = randomBytes(3000 * 7)
    const pieces = Array.from({ length: 3000 }, (_, n) => whole.subarray(n * 7, n * 7 + 7))
    await store.putIfAbsent('read/many-pieces', pieces)
    expect(Buffer.compare(await store.get('read/many-pieces'), whole)).toBe(0)
  })

  test('the facts of an object name its size, its etag and a time', async () => {
    const { store, other } = current()
    const { etag } = await store.put('read/facts', [bytes('12345')])
    const facts = await other.head('read/facts')
    expect(facts).toMatchObject({ key: 'read/facts', sizeBytes: 5, etag })
    expect(facts.lastModifiedMs).toBeGreaterThan(1_600_000_000_000)
  })

  test('a range is half open and ends where the object ends', async () => {
    const { store } = current()
    await store.put('read/range', [bytes('0123456789')])
    expect(text(await store.getRange('read/range', 2, 5))).toBe('234')
    expect(text(await store.getRange('read/range', 0, 1))).toBe('0')
    expect(text(await store.getRange('read/range', 9, 10))).toBe('9')
    expect(text(await store.getRange('read/range', 8, 1000))).toBe('89')
    expect(text(await store.getRange('read/range', 0, 10))).toBe('0123456789')
  })

  test('a range that begins at or after the end is refused', async () => {
    const { store } = current()
    await store.put('read/range-end', [bytes('0123456789')])
    await expectKind(store.getRange('read/range-end', 10, 12), 'invalid')
    await expectKind(store.getRange('read/range-end', 999, 1200), 'invalid')
  })

  test('the tail brings the last bytes and the whole size', async () => {
    const { store } = current()
    await store.put('read/tail', [bytes('0123456789')])
    const tail = await store.getTail('read/tail', 3)
    expect([text(tail.bytes), tail.sizeBytes]).toEqual(['789', 10])
    const whole = await store.getTail('read/tail', 11)
    expect([text(whole.bytes), whole.sizeBytes]).toEqual(['0123456789', 10])
    expect(text((await store.getTail('read/tail', 10)).bytes)).toBe('0123456789')
  })

  test('an empty object is an object', async () => {
    const { store } = current()
    await store.put('read/empty', [])
    expect(await store.putIfAbsent('read/empty', [bytes('x')])).toEqual({ kind: 'exists' })
    expect((await store.get('read/empty')).length).toBe(0)
    expect((await store.head('read/empty')).sizeBytes).toBe(0)
    const tail = await store.getTail('read/empty', 8)
    expect([tail.bytes.length, tail.sizeBytes]).toEqual([0, 0])
    await expectKind(store.getRange('read/empty', 0, 1), 'invalid')
  })

  test('a missing key is told as missing by every read', async () => {
    const { store } = current()
    await expectKind(store.head('read/nothing'), 'missing')
    await expectKind(store.get('read/nothing'), 'missing')
    await expectKind(store.getRange('read/nothing', 0, 1), 'missing')
    await expectKind(store.getTail('read/nothing', 1), 'missing')
    await expectKind(store.get('read/facts/below/an/object'), 'missing')
  })

  test('changing bytes that were read or written does not change the object', async () => {
    const { store } = current()
    const body = Buffer.from('before')
    await store.put('read/own', [body])
    body.fill('x')
    ;(await store.get('read/own')).fill(0)
    expect(text(await store.get('read/own'))).toBe('before')
  })
}

function writingTests(current: () => StoreUnderTest): void {
  test('a put replaces what was there', async () => {
    const { store, other } = current()
    const first = await store.put('write/replace', [bytes('first, longer')])
    const second = await other.put('write/replace', [bytes('second')])
    expect(second.etag).not.toBe(first.etag)
    expect(text(await store.get('write/replace'))).toBe('second')
  })

  test('create-if-absent answers exists to the second and keeps the first', async () => {
    const { store, other } = current()
    const created = await store.putIfAbsent('write/absent', [bytes('first')])
    expect(created).toEqual({ kind: 'created' })
    expect(await other.putIfAbsent('write/absent', [bytes('second')])).toEqual({ kind: 'exists' })
    const { etag } = await store.head('write/absent')
    expect((await other.putIfMatch('write/absent', [bytes('first')], etag)).kind).toBe('replaced')
    expect(text(await store.get('write/absent'))).toBe('first')
  })

  test('create-if-absent creates again after a delete', async () => {
    const { store } = current()
    await store.putIfAbsent('write/again', [bytes('first')])
    await store.delete('write/again')
    expect((await store.putIfAbsent('write/again', [bytes('second')])).kind).toBe('created')
    expect(text(await store.get('write/again'))).toBe('second')
  })

  test('put-if-match replaces the version it names and no other', async () => {
    const { store, other } = current()
    const first = await store.put('write/match', [bytes('1')])
    const second = await store.putIfMatch('write/match', [bytes('2')], first.etag)
    expect(second.kind).toBe('replaced')
    expect(await other.putIfMatch('write/match', [bytes('3')], first.etag)).toEqual({ kind: 'conflict' })
    expect(text(await other.get('write/match'))).toBe('2')
    expect(second).toEqual({ kind: 'replaced', etag: (await store.head('write/match')).etag })
  })

  test('put-if-match on a missing object is a conflict and creates nothing', async () => {
    const { store } = current()
    const { etag } = await store.put('write/gone', [bytes('1')])
    await store.delete('write/gone')
    expect(await store.putIfMatch('write/gone', [bytes('2')], etag)).toEqual({ kind: 'conflict' })
    await expectKind(store.head('write/gone'), 'missing')
  })

  test('put-if-match works on an object made in parts', async () => {
    const { store } = current()
    await store.putMultipart('write/match-parts', inParts(randomBytes(9 * 1024 * 1024), 1024 * 1024))
    const { etag } = await store.head('write/match-parts')
    expect((await store.putIfMatch('write/match-parts', [bytes('small')], etag)).kind).toBe('replaced')
    expect(await store.putIfMatch('write/match-parts', [bytes('late')], etag)).toEqual({ kind: 'conflict' })
  })

  const odd = [
    'odd/with space',
    'odd/per%cent%2Fslash',
    'odd/plus+and&and=and?and#',
    'odd/ümläut',
    'odd/日本語/鍵',
    'odd/🜛 above all planes',
    'odd/\uffee beside it',
    'odd/.hidden',
    'odd/...',
    'odd/-dash',
    'odd/x.object',
    'odd/x%2Eobject',
    'odd/x.object.object',
    'odd/quote\'"`',
    'odd/back\\slash',
    'odd/<xml>&amp;',
    'odd/star*',
    `odd/${'long'.repeat(50)}`,
    '.chronik/object',
    '.chronikle',
    'o',
  ]

  test('odd keys are kept apart and come back as they were given', async () => {
    const { store, other } = current()
    await inBatches(odd, (key) => store.put(key, [bytes(key)]))
    for (const key of odd) expect(text(await other.get(key))).toBe(key)
    const expected = odd.filter((key) => key.startsWith('odd/')).sort((a, b) => Buffer.compare(bytes(a), bytes(b)))
    expect(await keysOf(other, 'odd/')).toEqual(expected)
    expect(await keysOf(other, '.chronik')).toEqual(['.chronik/object', '.chronikle'])
    expect(await store.deleteMany(odd)).toEqual([])
    expect(await keysOf(other, 'odd/')).toEqual([])
  })

  test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/.', './a', 'a\u0000b', 'a\nb', 'a\ud800b', 'k'.repeat(1025)])(
    'the key %j is refused',
    async (key) => {
      const { store } = current()
      await expectKind(store.put(key, [bytes('x')]), 'invalid')
      await expectKind(store.putIfAbsent(key, [bytes('x')]), 'invalid')
    },
  )
}

function raceTests(current: () => StoreUnderTest): void {
  test('of 32 concurrent creators exactly one creates', async () => {
    const { store, other } = current()
    for (let round = 0; round < 5; round += 1) {
      const key = `race/create-${round}`
      const outcomes = await Promise.all(
        Array.from({ length: racers }, (_, n) => (n % 2 === 0 ? store : other).putIfAbsent(key, [bytes(`writer ${n}`)])),
      )
      const winners = outcomes.flatMap(({ kind }, n) => (kind === 'created' ? [n] : []))
      expect(winners.length).toBe(1)
      expect(text(await store.get(key))).toBe(`writer ${winners[0]}`)
    }
  })

  test('of 32 concurrent replacers of one version exactly one replaces', async () => {
    const { store, other } = current()
    const { etag } = await store.put('race/match', [bytes('start')])
    const outcomes = await Promise.all(
      Array.from({ length: racers }, (_, n) =>
        (n % 2 === 0 ? store : other).putIfMatch('race/match', [bytes(`writer ${n}`)], etag),
      ),
    )
    const winners = outcomes.flatMap(({ kind }, n) => (kind === 'replaced' ? [n] : []))
    expect(winners.length).toBe(1)
    expect(text(await store.get('race/match'))).toBe(`writer ${winners[0]}`)
  })

  test('a counter raised by read, compare and replace loses no step', async () => {
    const { store, other } = current()
    await store.put('race/counter', [bytes('0')])
    const raise = async (by: ObjectStore): Promise<void> => {
      for (;;) {
        const { etag } = await by.head('race/counter')
        const value = Number(text(await by.get('race/counter')))
        if ((await by.putIfMatch('race/counter', [bytes(String(value + 1))], etag)).kind === 'replaced') return
      }
    }
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        for (let step = 0; step < 4; step += 1) await raise(n % 2 === 0 ? store : other)
      }),
    )
    expect(text(await store.get('race/counter'))).toBe('32')
  })

  test('a reader beside a writer sees one version or the other, never a mixture', async () => {
    const { store, other } = current()
    const version = (n: number): Uint8Array => Buffer.alloc(256 * 1024, n)
    await store.put('race/whole', [version(0)])
    const writer = { done: false }
    const reading = (async () => {
      let seen = 0
      while (!writer.done) {
        const body = await other.get('race/whole')
        expect(body.length).toBe(256 * 1024)
        expect(body.every((byte) => byte === body[0])).toBe(true)
        seen += 1
      }
      return seen
    })()
    for (let n = 1; n <= 10; n += 1) await store.put('race/whole', [version(n)])
    writer.done = true
    expect(await reading).toBeGreaterThan(0)
  })
}

function listingTests(current: () => StoreUnderTest): void {
  const many = Array.from({ length: 1205 }, (_, n) => `list/many/${String(n).padStart(5, '0')}`)
  beforeAll(async () => {
    await inBatches(many, (key) => current().store.put(key, [bytes(key)]))
  }, 120_000)

  test('more than a page of keys comes in order and complete', async () => {
    const { store, other } = current()
    expect(await keysOf(store, 'list/many/')).toEqual(many)
    expect(await keysOf(other, 'list/many/')).toEqual(many)
  })

  test('a listing starts after a key, present or not', async () => {
    const { store } = current()
    expect(await keysOf(store, 'list/many/', { startAfter: many[1200]! })).toEqual(many.slice(1201))
    expect(await keysOf(store, 'list/many/', { startAfter: `${many[1200]!}-` })).toEqual(many.slice(1201))
    expect(await keysOf(store, 'list/many/', { startAfter: 'list/a' })).toEqual(many)
    expect(await keysOf(store, 'list/many/', { startAfter: 'list/z' })).toEqual([])
    expect(await keysOf(store, 'list/many/', { startAfter: many.at(-1)! })).toEqual([])
  })

  test('a listing stops at its limit', async () => {
    const { store } = current()
    expect(await keysOf(store, 'list/many/', { limit: 1 })).toEqual(many.slice(0, 1))
    expect(await keysOf(store, 'list/many/', { limit: 0 })).toEqual([])
    expect(await keysOf(store, 'list/many/', { limit: 1001 })).toEqual(many.slice(0, 1001))
    expect(await keysOf(store, 'list/many/', { startAfter: many[9]!, limit: 2 })).toEqual(many.slice(10, 12))
  })

  test('a prefix may end within a name', async () => {
    const { store } = current()
    expect(await keysOf(store, 'list/many/0120')).toEqual(many.slice(1200))
    expect(await keysOf(store, 'list/man')).toEqual(many)
    expect(await keysOf(store, 'list/many/nothing')).toEqual([])
    expect(await keysOf(store, 'list/none/at/all')).toEqual([])
  })

  test('the empty prefix lists everything in order', async () => {
    const { store } = current()
    const keys = await keysOf(store, '')
    expect(keys).toEqual([...keys].sort(compareKeys))
    expect(keys.length).toBeGreaterThanOrEqual(many.length)
  })

  test('order is that of bytes, across folders and planes of Unicode', async () => {
    const { store } = current()
    const keys = ['a!', 'a-b', 'a.b', 'a/b', 'a/c/d', 'a0', 'aB', 'ab', 'a~', 'aé', 'a\uffee', 'a🜛', 'b'].map(
      (name) => `order/${name}`,
    )
    await inBatches([...keys].reverse(), (key) => store.put(key, [bytes(key)]))
    expect(await keysOf(store, 'order/')).toEqual(keys)
    for (const [at, key] of keys.entries()) expect(await keysOf(store, 'order/', { startAfter: key })).toEqual(keys.slice(at + 1))
  })

  test('a listing names size and time, and sees a write that just returned', async () => {
    const { store, other } = current()
    for (let n = 0; n < 10; n += 1) {
      await store.putIfAbsent(`list/fresh/${n}`, [bytes('x'.repeat(n))])
      const seen: [string, number][] = []
      for await (const { key, sizeBytes, lastModifiedMs } of other.list('list/fresh/')) {
        seen.push([key, sizeBytes])
        expect(lastModifiedMs).toBeGreaterThan(1_600_000_000_000)
      }
      expect(seen).toEqual(Array.from({ length: n + 1 }, (_, m) => [`list/fresh/${m}`, m]))
    }
  })

  test('a listing may be left early', async () => {
    const { store } = current()
    for await (const { key } of store.list('list/many/')) {
      expect(key).toBe(many[0])
      break
    }
  })
}

function deletingTests(current: () => StoreUnderTest): void {
  test('a deleted object is gone, and deleting it again is no error', async () => {
    const { store, other } = current()
    await store.put('delete/one', [bytes('x')])
    await other.delete('delete/one')
    await expectKind(store.get('delete/one'), 'missing')
    await store.delete('delete/one')
    await store.delete('delete/never/was')
  })

  test('more than a thousand objects are deleted, absent ones too', async () => {
    const { store } = current()
    const keys = Array.from({ length: 1100 }, (_, n) => `delete/many/${n}`)
    await inBatches(keys, (key) => store.put(key, [bytes('x')]))
    await store.put('delete/many-not', [bytes('x')])
    expect(await store.deleteMany([...keys, 'delete/never'])).toEqual([])
    expect(await keysOf(store, 'delete/many')).toEqual(['delete/many-not'])
    expect(await store.deleteMany([])).toEqual([])
  })
}

function multipartTests(current: () => StoreUnderTest): void {
  const big = randomBytes(20 * 1024 * 1024)

  test('20 MiB in uneven parts come back whole', async () => {
    const { store, other } = current()
    const outcome = await store.putMultipart('parts/big', inParts(big, 3_000_001))
    expect(outcome).toEqual({ kind: 'created' })
    const back = await other.get('parts/big')
    expect(Buffer.compare(back, big)).toBe(0)
    const middle = await other.getRange('parts/big', 8 * 1024 * 1024 - 10, 8 * 1024 * 1024 + 10)
    expect(Buffer.compare(middle, big.subarray(8 * 1024 * 1024 - 10, 8 * 1024 * 1024 + 10))).toBe(0)
  }, 120_000)

  test('an object in parts does not replace one that exists', async () => {
    const { store } = current()
    await store.put('parts/taken', [bytes('first')])
    expect(await store.putMultipart('parts/taken', inParts(big, 8 * 1024 * 1024))).toEqual({ kind: 'exists' })
    expect(await store.putMultipart('parts/taken', inParts(bytes('small'), 2))).toEqual({ kind: 'exists' })
    expect(text(await store.get('parts/taken'))).toBe('first')
  }, 120_000)

  test('an object that appears while parts are sent wins over them', async () => {
    const { store, other } = current()
    async function* interrupted(): AsyncIterable<Uint8Array> {
      yield* inParts(big.subarray(0, 17 * 1024 * 1024), 1024 * 1024)
      await other.putIfAbsent('parts/overtaken', [bytes('quicker')])
      yield big.subarray(17 * 1024 * 1024)
    }
    expect(await store.putMultipart('parts/overtaken', interrupted())).toEqual({ kind: 'exists' })
    expect(text(await other.get('parts/overtaken'))).toBe('quicker')
  }, 120_000)

  test('nothing is visible before the end, and nothing remains when the parts fail', async () => {
    const { store, other } = current()
    async function* broken(): AsyncIterable<Uint8Array> {
      yield* inParts(big.subarray(0, 12 * 1024 * 1024), 1024 * 1024)
      expect(await keysOf(other, 'parts/broken')).toEqual([])
      throw new Error('the source ran dry')
    }
    expect(String(await rejection(store.putMultipart('parts/broken', broken())))).toContain('the source ran dry')
    await expectKind(other.head('parts/broken'), 'missing')
  }, 120_000)

  test('few bytes and no bytes are objects in parts too', async () => {
    const { store } = current()
    expect((await store.putMultipart('parts/small', inParts(bytes('small'), 2))).kind).toBe('created')
    expect(text(await store.get('parts/small'))).toBe('small')
    expect((await store.putMultipart('parts/none', inParts(bytes(''), 2))).kind).toBe('created')
    expect((await store.head('parts/none')).sizeBytes).toBe(0)
  })
}
