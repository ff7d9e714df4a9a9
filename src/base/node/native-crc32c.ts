// Owns CRC32C for the hot path: native code for large inputs, the plain table where the call itself would cost more.

import { crc32c as native } from '@node-rs/crc32'
import { type Crc32c, crc32cReference } from '../crc32c.ts'

// Below this the call into native code costs more than the table (limits.md: a JavaScript table wins below 256 B).
const nativeBytesMin = 256

export const crc32c: Crc32c = (bytes, seed = 0) =>
  bytes.length < nativeBytesMin ? crc32cReference(bytes, seed) : native(bytes, seed)
