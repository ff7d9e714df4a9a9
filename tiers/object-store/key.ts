// Owns what a key may look like and the order of keys. Does not own how a backend stores them.

import { assert } from '../../src/base/assert.ts'
import { OpError } from '../../src/base/op-error.ts'
import { keyBytesMax } from './limits.ts'

// Half a surrogate pair has no UTF-8 form, and a listing in XML cannot hold control characters and non-characters.
const unwritable = /[\p{Surrogate}\p{Control}\ufffe\uffff]/u

function refuse(key: string, why: string): never {
  throw new OpError('invalid', {
    code: 'KEY_INVALID',
    detail: `the key ${JSON.stringify(key)} ${why}; name the object differently`,
  })
}

/**
 * Every backend refuses the same keys, so that what works on one works on all: segments between slashes are neither empty nor
 * `.` nor `..`, and the whole is printable Unicode of at most 1024 bytes.
 */
export function checkKey(key: string): void {
  if (key.length > keyBytesMax || (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)) {
    refuse(key, `is longer than ${keyBytesMax} bytes`)
  }
  if (unwritable.test(key)) refuse(key, 'holds characters that no store can write')
  for (const segment of key.split('/')) {
    if (segment === '') refuse(key, 'holds an empty segment')
    if (segment === '.' || segment === '..') refuse(key, 'holds a segment of dots only')
  }
}

/** A key that is a folder of another: MinIO hides what is below it, VersityGW refuses it. */
export function folderClash(location: string, key: string, other: string): OpError {
  const detail = `in ${location} the object ${key} would stand beside ${other}, one a folder of the other; some stores lose one of them`
  return new OpError('invalid', { code: 'KEY_IS_FOLDER', detail })
}

/** Order of the UTF-8 bytes. JavaScript compares UTF-16, which differs where a surrogate meets U+E000 to U+FFFF. */
export function compareKeys(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length)
  for (let at = 0; at < shorter; at += 1) {
    const a = left.charCodeAt(at)
    const b = right.charCodeAt(at)
    if (a !== b) return utf8Rank(a) - utf8Rank(b)
  }
  return left.length - right.length
}

/** Surrogates stand for code points above all others. */
function utf8Rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** A range the caller got wrong is our bug, not the world's. */
export function assertRange(start: number, end: number): void {
  assert(
    Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end > start,
    'a range is [start, end), not empty',
  )
}

export function assertTail(length: number): void {
  assert(Number.isSafeInteger(length) && length > 0, 'a tail has at least one byte')
}

export function missing(location: string, key: string, cause?: unknown): OpError {
  return new OpError('missing', { code: 'OBJECT_MISSING', detail: `${location} holds no object ${key}`, cause })
}

export function beyondEnd(location: string, key: string, start: number): OpError {
  return new OpError('invalid', {
    code: 'RANGE_BEYOND_END',
    detail: `the object ${key} in ${location} ends at or before byte ${start}; ask its size first`,
  })
}
