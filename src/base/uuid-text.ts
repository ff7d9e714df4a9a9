// Owns drawing a 128-bit id in Kafka's text form: 22 characters of base64url.

import type { IdSource } from './prng.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

export function uuidText(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < 22; at += 1) {
    const bit = at * 6
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0)
    text += alphabet.charAt((pair >> (10 - (bit & 7))) & 63)
  }
  return text
}

/** As Kafka draws them: none that starts with a dash, which command lines would take for a flag. */
export function freshUuidText(ids: IdSource): string {
  for (;;) {
    const text = uuidText(ids.nextId())
    if (!text.startsWith('-')) return text
  }
}
