// Owns the tests of keys, their order, their files' names, their tags, and of what errors of disk and bucket mean.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { contentTag } from '../../../../tiers/object-store/content-tag.ts'
import { compareKeys } from '../../../../tiers/object-store/key.ts'
import { storeError } from '../../../../tiers/object-store/local-errors.ts'
import { decodeFile, decodeFolder, encodeFile, encodeFolder } from '../../../../tiers/object-store/local-names.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { s3Error } from '../../../../tiers/object-store/s3-errors.ts'

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
const segment = fc
  .oneof(text, fc.string({ unit: fc.constantFrom('.', '%', '2', 'E', '5', 'o', '.object', 'a'), minLength: 1, maxLength: 8 }))
  .filter((name) => !name.includes('/'))

test('the order of keys is the order of their UTF-8 bytes', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
    }),
  )
})

test('a name on disk leads back to its segment, and files and folders never share one', () => {
  fc.assert(
    fc.property(segment, segment, (a, b) => {
      expect(decodeFile(encodeFile(a))).toBe(a)
      expect(decodeFolder(encodeFolder(a))).toBe(a)
      expect(encodeFile(a)).not.toBe(encodeFolder(b))
      expect(encodeFile(a).startsWith('.')).toBe(false)
      if (a !== b) expect(encodeFile(a)).not.toBe(encodeFile(b))
    }),
  )
})

test('a tag depends on the content, not on its pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.boolean(), (content, cut, large) => {
      const body = large ? Buffer.concat([Buffer.alloc(70_000), content]) : content
      expect(contentTag([body.subarray(0, cut), body.subarray(cut)])).toBe(contentTag([body]))
      expect(contentTag([body, Buffer.of(1)])).not.toBe(contentTag([body]))
    }),
  )
})

test('the memory store refuses a key that is a folder of another', async () => {
  const store = memoryStore()
  await store.put('a/b', [])
  await expect(store.put('a', [])).rejects.toMatchObject({ code: 'KEY_IS_FOLDER' })
  await expect(store.putIfAbsent('a/b/c', [])).rejects.toMatchObject({ code: 'KEY_IS_FOLDER' })
  await store.put('a/bc', [])
  await store.put('a/b', [])
})

test.each([
  ['ENOSPC', 'busy', 'STORE_FULL'],
  ['EDQUOT', 'busy', 'STORE_FULL'],
  ['EMFILE', 'busy', 'STORE_BUSY'],
  ['EROFS', 'denied', 'STORE_DENIED'],
  ['EIO', 'retry', 'STORE_IO'],
  ['ENOENT', 'internal', 'STORE_GONE'],
])('a disk that says %s is %s', (code, kind, ours) => {
  const error = storeError('local:/data', Object.assign(new Error(code), { code }))
  expect(error).toMatchObject({ kind, code: ours, detail: expect.stringContaining('local:/data') as string })
})

test('an error that is not of the disk is not the disk’s', () => {
  const own = new Error('from the caller')
  expect(storeError('local:/data', own)).toBe(own)
  expect(s3Error({ location: 's3://b', endpoint: 'e', key: 'k' }, own)).toBe(own)
})

test.each([
  ['NoSuchBucket', 404, 'invalid', 'BUCKET_MISSING'],
  ['NoSuchKey', 404, 'missing', 'OBJECT_MISSING'],
  ['AccessDenied', 403, 'denied', 'BUCKET_DENIED'],
  ['SignatureDoesNotMatch', 403, 'denied', 'BUCKET_DENIED'],
  ['RequestTimeTooSkewed', 403, 'denied', 'CLOCK_SKEWED'],
  ['ExpiredToken', 400, 'denied', 'CREDENTIALS_EXPIRED'],
  ['SlowDown', 503, 'busy', 'BUCKET_THROTTLED'],
  ['Unknown', 503, 'busy', 'BUCKET_THROTTLED'],
  ['InternalError', 500, 'retry', 'BUCKET_FAILED'],
  ['RequestTimeout', 400, 'retry', 'BUCKET_FAILED'],
  ['ConditionalRequestConflict', 409, 'retry', 'WRITE_RACED'],
  ['NotImplemented', 501, 'invalid', 'STORE_CANNOT_FENCE'],
  ['XMinioStorageFull', 507, 'busy', 'STORE_FULL'],
  ['PermanentRedirect', 301, 'invalid', 'BUCKET_ELSEWHERE'],
  ['EntityTooLarge', 400, 'invalid', 'REQUEST_REFUSED'],
])('a bucket that says %s (%i) is %s', (name, httpStatusCode, kind, code) => {
  const said = Object.assign(new Error(name), { name, $metadata: { httpStatusCode } })
  const error = s3Error({ location: 's3://bucket', endpoint: 'http://here', key: 'k', conditional: true }, said)
  expect(error).toBeInstanceOf(OpError)
  expect(error).toMatchObject({ kind, code, cause: said, detail: expect.stringContaining('s3://bucket') as string })
})

test('a bucket that gives no answer is to be asked again', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET']) {
    const error = s3Error(
      { location: 's3://bucket', endpoint: 'http://here', key: 'k' },
      Object.assign(new Error(code), { code }),
    )
    expect(error).toMatchObject({
      kind: 'retry',
      code: 'BUCKET_UNREACHABLE',
      detail: expect.stringContaining('http://here') as string,
    })
  }
})
