// Owns SaslHandshake and SaslAuthenticate on the wire. Does not own the state of a connection's authentication, nor the mechanisms
// (security/).

import { ApiKey } from '../../protocol/index.ts'
import {
  readSaslAuthenticateRequest,
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
  saslAuthenticateResponse,
  writeSaslAuthenticateResponse,
} from '../../protocol/generated/sasl-authenticate.ts'
import {
  readSaslHandshakeRequest,
  type SaslHandshakeRequest,
  type SaslHandshakeResponse,
  saslHandshakeResponse,
  writeSaslHandshakeResponse,
} from '../../protocol/generated/sasl-handshake.ts'
import { LastResponse, type Reply, type ServedApi, serve } from '../front/served-api.ts'

function replyOf<Response>(response: Response, close: string | undefined): Reply<Response> {
  return close === undefined ? response : new LastResponse(response, close)
}

export function saslApis(): ServedApi[] {
  return [
    serve<SaslHandshakeRequest, SaslHandshakeResponse>({
      key: ApiKey.SaslHandshake,
      order: 'serial',
      read: readSaslHandshakeRequest,
      write: writeSaslHandshakeResponse,
      handle: async ({ mechanism }, call) => {
        const { errorCode, mechanisms, close } = await call.connection.authentication.handshake(mechanism, call.version)
        call.countError(errorCode)
        return replyOf(saslHandshakeResponse({ errorCode, mechanisms }), close)
      },
      failed: (_request, errorCode) => saslHandshakeResponse({ errorCode }),
    }),
    serve<SaslAuthenticateRequest, SaslAuthenticateResponse>({
      key: ApiKey.SaslAuthenticate,
      order: 'serial',
      read: readSaslAuthenticateRequest,
      write: writeSaslAuthenticateResponse,
      handle: async ({ authBytes }, call) => {
        const answer = await call.connection.authentication.authenticate(authBytes)
        const { errorCode, errorMessage, token, sessionLifetimeMs, close } = answer
        call.countError(errorCode)
        const response = { errorCode, errorMessage, authBytes: token, sessionLifetimeMs: BigInt(sessionLifetimeMs) }
        return replyOf(saslAuthenticateResponse(response), close)
      },
      failed: (_request, errorCode) => saslAuthenticateResponse({ errorCode, errorMessage: null }),
    }),
  ]
}
