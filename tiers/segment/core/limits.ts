// Owns the named maxima of segments and the relations between them. Not when a segment is rolled (broker settings).

import { assert } from '../../../src/base/assert.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/** Positions are unsigned 32 bits: the object as a whole stays below 4 GiB. */
export const segmentSizeBytesMax = 2 ** 32 - 1
/** A new index entry at the first batch that begins at least this far after the last entry. */
export const indexIntervalBytesDefault = 64 * kibibyte
/** Data under one CRC in the table. It must divide a cache chunk, so that each cached chunk can be checked alone. */
export const checksumChunkBytesDefault = mebibyte
export const checksumChunkBytesMin = kibibyte
export const checksumChunkBytesMax = mebibyte
/** Index and checksum table together: bounds what opening a segment reads and holds. */
export const indexSectionBytesMax = 32 * mebibyte
/** Parsed indexes of all open segments together: at 64 KiB a step, those of about 150 GiB of segments. */
export const indexBudgetBytesDefault = 64 * mebibyte
/** Multipart parts; also the size up to which a segment goes out in one request, its batches by reference. */
export const partBytesDefault = 8 * mebibyte
/** What one read answers at most, whatever it was asked for (beyond the one batch it always answers). */
export const readBytesMax = 16 * mebibyte
/** Names tried for one base offset and epoch before the writer gives up; each try can cost a whole upload. */
export const attemptsPerWriteMax = 8
export const attemptMax = 0xffff
/** One step of a full check or a dump. */
export const scanStepBytes = 4 * mebibyte
/** Findings kept by a full check; the rest is counted. */
export const findingsMax = 100

const entryBytes = 28
const sectionBytesAtDefaults =
  Math.ceil(segmentSizeBytesMax / indexIntervalBytesDefault) * entryBytes +
  Math.ceil(segmentSizeBytesMax / checksumChunkBytesDefault) * 4
assert(sectionBytesAtDefaults <= indexSectionBytesMax, 'the index of the largest segment fits its limit')
assert(indexSectionBytesMax <= indexBudgetBytesDefault, 'one index fits into the budget of all')
assert(checksumChunkBytesMax % checksumChunkBytesDefault === 0, 'checksum chunks are powers of two')
assert(scanStepBytes % checksumChunkBytesMax === 0, 'a full check reads whole checksum chunks')
