import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32cReference } from '../../../../src/base/crc32c.ts'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('CRC32C', () => {
  // RFC 3720, appendix B.4, and the check value of the Rocksoft catalogue.
  test.each([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['ascending', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
    ['descending', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
    ['123456789', ascii('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(), 0],
  ])('the published value of %s', (_, bytes, expected) => {
    expect(crc32cReference(bytes)).toBe(expected)
    expect(crc32c(bytes)).toBe(expected)
  })

  test('native and reference agree at every length around the switch, and with any seed', () => {
    const around = fc.integer({ min: 0, max: 1024 }).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    fc.assert(
      fc.property(around, fc.integer({ min: 0, max: 0xffffffff }), (bytes, seed) => {
        expect(crc32c(bytes, seed)).toBe(crc32cReference(bytes, seed))
      }),
    )
  })

  test('a checksum continues over pieces, wherever they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), fc.nat(), (bytes, where) => {
        const cut = bytes.length === 0 ? 0 : where % bytes.length
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32cReference(bytes))
      }),
    )
  })

  test('a view into a larger buffer is read at its own bounds', () => {
    const whole = Uint8Array.from({ length: 1000 }, (_, at) => at & 0xff)
    expect(crc32c(whole.subarray(300, 900))).toBe(crc32cReference(whole.slice(300, 900)))
  })

  test('the native path runs: large inputs are many times faster than the table', () => {
    const bytes = new Uint8Array(4 << 20)
    const timed = (run: () => void): number => {
      const startedAt = performance.now()
      run()
      return performance.now() - startedAt
    }
    const best = (run: () => void): number => Math.min(...Array.from({ length: 3 }, () => timed(run)))
    expect(best(() => crc32c(bytes)) * 2).toBeLessThan(best(() => crc32cReference(bytes)))
  })
})
