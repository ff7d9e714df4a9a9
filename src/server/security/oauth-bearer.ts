// Owns SASL OAUTHBEARER (RFC 7628): reading the client's message and answering a refusal as the RFC wants it. Not whether a token is
// good (token-verifier.ts).
//
//   client: n,[a=authorization id],^Aauth=Bearer <token>^A[key=value^A…]^A
//   server: nothing, or {"status":"invalid_token"}, which the client confirms with ^A before it is told that it failed

import { type ExchangeStep, failedStep, type SaslExchange, type SaslMechanism, shownName } from './sasl-mechanism.ts'
import type { VerifyToken } from './token-verifier.ts'

const separator = '\u0001'
const messageForm = /^n,(?:a=([^,]*))?,\u0001((?:[A-Za-z]+=[^\u0001]*\u0001)*)\u0001$/
const nothing = new Uint8Array(0)
const refusal = Buffer.from('{"status":"invalid_token"}')

interface Message {
  readonly authorizationId: string
  readonly token: string
}

function readMessage(text: string): Message | undefined {
  const [, authorizationId = '', pairs] = messageForm.exec(text) ?? []
  const credentials = pairs?.split(separator).find((pair) => pair.startsWith('auth='))
  const [, token] = /^auth=bearer +(\S+)$/i.exec(credentials ?? '') ?? []
  return token === undefined ? undefined : { authorizationId, token }
}

export class OauthBearerMechanism implements SaslMechanism {
  readonly name = 'OAUTHBEARER'
  readonly #verify: VerifyToken
  readonly #onRefused: (reason: string) => void

  /** `onRefused` is told at once: many clients hang up on a refusal instead of confirming it. */
  constructor(verify: VerifyToken, onRefused: (reason: string) => void) {
    this.#verify = verify
    this.#onRefused = onRefused
  }

  begin(): SaslExchange {
    return new OauthExchange(this.#verify, this.#onRefused)
  }
}

class OauthExchange implements SaslExchange {
  readonly #verify: VerifyToken
  readonly #onRefused: (reason: string) => void
  /** Why the token was refused; the client knows it by now. */
  #refused: string | undefined

  constructor(verify: VerifyToken, onRefused: (reason: string) => void) {
    this.#verify = verify
    this.#onRefused = onRefused
  }

  async evaluate(bytes: Uint8Array): Promise<ExchangeStep> {
    if (this.#refused !== undefined) return failedStep(this.#refused, refusal.toString())
    const message = readMessage(Buffer.from(bytes).toString('utf8'))
    if (message === undefined) return failedStep('its message is not OAUTHBEARER')
    const verified = await this.#verify(message.token)
    if (!verified.ok) {
      this.#refused = verified.failure
      this.#onRefused(verified.failure)
      return { kind: 'continue', reply: refusal }
    }
    const { name, expiresAtMs } = verified.value
    if (message.authorizationId !== '' && message.authorizationId !== name) {
      const told = 'Authentication failed: Client requested an authorization id that is different from the token’s principal name'
      return failedStep(`it asked to be ${shownName(message.authorizationId)} with a token of ${shownName(name)}`, told)
    }
    return { kind: 'done', reply: nothing, name, expiresAtMs }
  }
}
