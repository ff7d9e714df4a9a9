// Owns bodies on their way to and from S3: one buffer out, one buffer in. Does not send anything.

import { OpError } from '../../src/base/op-error.ts'
import type { ObjectBody } from '../ports.ts'
import { bodyBytes } from './around.ts'

export function bodyOf(body: ObjectBody): { Body: Uint8Array; ContentLength: number } {
  const [only] = body
  // The SDK signs and sends one buffer; thousands of small writes to a socket cost more than the copy.
  const whole = body.length === 1 && only !== undefined ? only : Buffer.concat(body)
  return { Body: whole, ContentLength: bodyBytes(body) }
}

/** Into one buffer of the announced size; a body that ends early is a broken connection, whatever the socket says. */
export async function collect(body: unknown, length: number | undefined): Promise<Uint8Array> {
  const stream = body as AsyncIterable<Uint8Array>
  if (length === undefined) return collectUnannounced(stream)
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for await (const piece of stream) {
    if (at + piece.length > length) throw brokenBody(`more than the ${length} bytes announced came`)
    bytes.set(piece, at)
    at += piece.length
  }
  if (at < length) throw brokenBody(`${at} of ${length} bytes came`)
  return bytes
}

async function collectUnannounced(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

function brokenBody(what: string): OpError {
  return new OpError('retry', { code: 'BODY_BROKEN', detail: `an object did not come whole: ${what}; check the network` })
}
