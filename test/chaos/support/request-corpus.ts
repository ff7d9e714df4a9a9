// Owns sound requests of every API and version: Kafka's golden ones, spoken of things that exist here, so that they come further than
// to the first unknown name. Does not own bending them (mutation.ts) nor sending.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { AssertionFailed } from '../../../src/base/assert.ts'
import type { Prng } from '../../../src/base/prng.ts'
import { ApiKey, apiCodecs, ByteReader, ByteWriter, isUuid, zeroUuid } from '../../../src/protocol/index.ts'
import { root } from '../../support/tools/broker.ts'

/** What requests may speak of. */
export interface Ground {
  readonly topics: readonly string[]
  readonly topicIds: readonly string[]
  readonly groups: readonly string[]
  readonly transactionalIds: readonly string[]
  readonly principals: readonly string[]
  /** Sound batches, as a producer would send them. */
  readonly batches: readonly Uint8Array[]
}

interface Vector {
  readonly key: number
  readonly type: 'request' | 'response'
  readonly version: number
  readonly hex: string
}

const pick = <T>(of: readonly T[], prng: Prng): T => of[prng.below(of.length)]!

/** Advertised below it, for old clients' sake, but known to no definition (Kafka's ApiKeys, KIP-896). */
const oldestProduce = 3

const nameOf = (key: number, version: number): string =>
  `${key}/${key === ApiKey.Produce ? Math.max(version, oldestProduce) : version}`

export class RequestCorpus {
  readonly #bodies = new Map<string, Uint8Array[]>()

  /** Reads the golden requests of the repository. */
  constructor() {
    const folder = join(root, 'test', 'golden', 'kafka-protocol', 'messages')
    for (const file of readdirSync(folder))
      for (const line of gunzipSync(readFileSync(join(folder, file)))
        .toString()
        .split('\n')) {
        if (line === '') continue
        const { key, type, version, hex } = JSON.parse(line) as Vector
        if (type !== 'request') continue
        const name = `${key}/${version}`
        const bodies = this.#bodies.get(name) ?? []
        if (bodies.length === 0) this.#bodies.set(name, bodies)
        bodies.push(Buffer.from(hex, 'hex'))
      }
  }

  has(key: number, version: number): boolean {
    return this.#bodies.has(nameOf(key, version))
  }

  /** A sound body, about things of `ground` most of the time; of a hundred fields, `strange` hold what fits the wire and nothing else. */
  body(key: number, version: number, ground: Ground, prng: Prng, strange = 0): Uint8Array {
    const golden = pick(this.#bodies.get(nameOf(key, version))!, prng)
    const codec = apiCodecs.get(key)!
    const spoken = key === ApiKey.Produce ? Math.max(version, oldestProduce) : version
    const reader = new ByteReader(golden)
    const request: unknown = codec.readRequest(reader, spoken)
    if (reader.failure !== undefined) throw new Error(`the golden request ${key}/${version} is not read: ${reader.failure}`)
    const writer = new ByteWriter()
    try {
      codec.writeRequest(writer, grounded(request, '', { ground, prng, strange }) as never, spoken)
    } catch (cause) {
      // A field got a value that this version cannot carry.
      if (cause instanceof AssertionFailed || cause instanceof RangeError) return golden
      throw cause
    }
    return writer.concat()
  }
}

const unsaid: ReadonlySet<unknown> = new Set([-1, 0, -1n, 0n, '', zeroUuid])

interface Meaning {
  readonly ground: Ground
  readonly prng: Prng
  readonly strange: number
}

/** The same request with names, ids, times and places that mean something; a fifth of the fields stay as they are. */
function grounded(value: unknown, field: string, meaning: Meaning): unknown {
  const { ground, prng } = meaning
  if (value instanceof Uint8Array) return isStrange(meaning) ? Buffer.alloc(prng.below(1_000), prng.below(256)) : value
  if (Array.isArray(value)) {
    if (field === 'records') return [pick(ground.batches, prng)]
    const elements = value.map((one) => grounded(one, field, meaning))
    if (!isStrange(meaning) || elements.length === 0) return elements
    return prng.below(2) === 0 ? [] : Array.from({ length: 1 + prng.below(100) }, () => pick(elements, prng))
  }
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [
        name,
        name === 'unknownTaggedFields' ? undefined : grounded(one, name, meaning),
      ]),
    )
  // What a field has when its version does not know it; another value could not be written.
  if (unsaid.has(value)) return value
  // Times that are waited for are short in any case: who asks to wait long may wait long.
  if (typeof value === 'number' && /Ms$/.test(field)) return prng.below(200)
  if (isStrange(meaning)) return strangeOf(value, prng)
  if (prng.below(5) === 0) return value
  if (typeof value === 'string') return groundedText(value, field, ground, prng)
  if (typeof value === 'number') return groundedNumber(value, field, prng)
  return typeof value === 'bigint' && /offset/i.test(field) ? BigInt(prng.below(12) - 2) : value
}

const isStrange = ({ strange, prng }: Meaning): boolean => prng.below(100) < strange

const strangeTexts = [
  '',
  ' ',
  '.',
  '..',
  '*',
  '../../etc',
  'a b',
  'ü',
  '\u0000',
  '\uffff',
  '-1',
  'x'.repeat(250),
  'y'.repeat(30_000),
  '(a+)+$',
] as const
const strangeNumbers = [-1, -2, 0, 1, 127, -128, 32_767, -32_768, 2 ** 31 - 1, -(2 ** 31)] as const
const strangeBigints = [-1n, -2n, 0n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)] as const

function strangeOf(value: unknown, prng: Prng): unknown {
  if (typeof value === 'string') return pick(isUuid(value) ? [zeroUuid] : strangeTexts, prng)
  if (typeof value === 'number') return pick(strangeNumbers, prng)
  if (typeof value === 'bigint') return pick(strangeBigints, prng)
  return typeof value === 'boolean' ? !value : value
}

function groundedText(value: string, field: string, ground: Ground, prng: Prng): string {
  if (/topicId/i.test(field)) return pick(ground.topicIds, prng)
  if (/transactionalId/i.test(field)) return pick(ground.transactionalIds, prng)
  if (/group/i.test(field) || field === 'key' || field === 'keys') return pick(ground.groups, prng)
  if (/principal|user/i.test(field)) return pick(ground.principals, prng)
  if (/memberId|instanceId|rack|protocol|assignor|host/i.test(field))
    return pick(['', 'member', 'range', 'uniform', 'consumer', '*'], prng)
  return /topic|name|resource/i.test(field) ? pick(ground.topics, prng) : value
}

function groundedNumber(value: number, field: string, prng: Prng): number {
  if (/partition|index|replicas|brokers/i.test(field)) return prng.below(3)
  if (/epoch/i.test(field)) return prng.below(4) - 1
  if (/acks/i.test(field)) return -1
  if (/type|operation|isolation|version/i.test(field)) return prng.below(5)
  return /bytes/i.test(field) ? prng.below(100_000) : value
}
