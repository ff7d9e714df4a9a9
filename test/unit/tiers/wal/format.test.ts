import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import {
  bytesOf,
  chainSeed,
  commitHeaderBytes,
  commitSalt,
  decodeFileHeader,
  encodeFileHeader,
  entryAt,
  frameHeaderBytes,
  frameVerdict,
  gatherBytes,
  OpenCommit,
} from '../../../../tiers/wal/core/index.ts'
import { batchPayload, entryOf, lineOf } from './wal-fixture.ts'

const walId = new Uint8Array(16).fill(9)

function commitOf(entries: ReadonlyArray<ReturnType<typeof entryOf>>, counted = crc32c): Uint8Array {
  const chain = chainSeed(walId, 1, crc32c)
  const place = { walId, file: 1, at: 4096, chain, salt: commitSalt(chain, 4096, 1, crc32c) }
  const commit = new OpenCommit(place, bytesOf(new Uint8Array(gatherBytes)), counted)
  for (const entry of entries) commit.add(entry)
  return Buffer.concat(commit.seal(4096))
}

describe('a file header', () => {
  const header = {
    walId,
    file: 2 ** 40,
    fileBytes: 65_536,
    recycled: true,
    previousFile: 2 ** 40 - 3,
    previousEnd: 51_200,
    previousChain: 0xfedcba98,
  }

  it('comes back as it was written', () => {
    const decoded = decodeFileHeader(bytesOf(encodeFileHeader(header, crc32c)), crc32c)
    expect(decoded).toEqual(header)
  })

  it('is none when any bit of its page flipped', () => {
    for (let at = 0; at < 4096; at += 1) {
      const page = encodeFileHeader(header, crc32c)
      page[at]! ^= 1 << (at % 8)
      expect(decodeFileHeader(bytesOf(page), crc32c)).toBeUndefined()
    }
  })
})

describe('a frame', () => {
  it('of every kind comes back as it was written', () => {
    for (const kind of ['batch', 'control', 'metadata', 'node'] as const) {
      const entry = entryOf(2 ** 45 + 1, 77, kind, 2 ** 32 - 1)
      const bytes = bytesOf(commitOf([entry]))
      expect(frameVerdict(bytes, commitHeaderBytes, crc32c)).toBe('good')
      expect(lineOf(entryAt(bytes, commitHeaderBytes))).toBe(lineOf(entry))
    }
  })

  it('is not good when any of its bits flipped', () => {
    for (const entry of [entryOf(1, 90, 'batch'), entryOf(2, 40, 'node')]) {
      const clean = commitOf([entry])
      const end = commitHeaderBytes + frameHeaderBytes + entry.payload.length
      for (let bit = commitHeaderBytes * 8; bit < end * 8; bit += 1) {
        const at = bit >> 3
        // A changed length may reach past the bytes at hand: the scan looks at that before it asks for a verdict.
        if (at >= commitHeaderBytes + 4 && at < commitHeaderBytes + 8) continue
        const bytes = bytesOf(Uint8Array.from(clean))
        bytes.array[at]! ^= 1 << (bit & 7)
        expect(frameVerdict(bytes, commitHeaderBytes, crc32c)).not.toBe('good')
      }
    }
  })

  it('of a batch is believed in its header when only the records were hit', () => {
    const bytes = bytesOf(commitOf([entryOf(1, 90, 'batch')]))
    bytes.array[commitHeaderBytes + frameHeaderBytes + 70]! ^= 1
    expect(frameVerdict(bytes, commitHeaderBytes, crc32c)).toBe('payload')
  })

  it('of a batch is written without summing the records again', () => {
    let summed = 0
    commitOf([{ ...entryOf(1, 61, 'batch'), payload: batchPayload(500_000, 3) }], (bytes, seed) => {
      summed += bytes.length
      return crc32c(bytes, seed)
    })
    expect(summed).toBeLessThan(200)
  })
})

describe('a commit', () => {
  it('is whole sectors, with zeros behind its last frame', () => {
    const bytes = commitOf([entryOf(1, 5), entryOf(2, 20_000), entryOf(3, 5)])
    expect(bytes.length % 512).toBe(0)
    const end = commitHeaderBytes + 3 * frameHeaderBytes + 20_010
    expect(bytes.length - end).toBeLessThan(512)
    expect(bytes.subarray(end).every((byte) => byte === 0)).toBe(true)
  })

  it('refuses a batch that is none', () => {
    expect(() => commitOf([{ ...entryOf(1, 5), kind: 'batch' }])).toThrow('WAL-7')
  })
})
