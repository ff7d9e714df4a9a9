// Owns the tokens of a client that shook hands by SaslHandshake version 0: they come without a Kafka header, and are answered so. Not
// what is in them (security/).
//
//   size int32 | token        and a failure is told by closing the connection alone

import { AssertionFailed } from '../../base/assert.ts'
import type { Log } from '../../base/log.ts'
import type { Answer, StartableRequest } from '../listener/request-line.ts'
import type { Authentication } from '../security/authentication.ts'

const sizeBytes = 4

function framed(token: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(sizeBytes + token.length)
  new DataView(bytes.buffer).setInt32(0, token.length)
  bytes.set(token, sizeBytes)
  return bytes
}

async function answerTo(authentication: Authentication, token: Uint8Array): Promise<Answer> {
  const { close, token: reply } = await authentication.authenticate(token)
  if (close !== undefined) return { kind: 'close', reason: close, unauthenticated: true }
  return { kind: 'write', chunks: [framed(reply)], acknowledges: false }
}

export function bareToken(authentication: Authentication, token: Uint8Array, log: Log): StartableRequest {
  return {
    order: 'serial',
    start: (answer) => {
      void answerTo(authentication, token).then(answer, (error: unknown) => {
        if (error instanceof AssertionFailed) throw error
        log.error('authentication threw', { error })
        answer({ kind: 'close', reason: 'its authentication threw', unauthenticated: true })
      })
    },
    hurry: () => undefined,
  }
}
