// Owns SASL PLAIN (RFC 4616): user and password in one message, checked against the users of a file. Not the file (plain-users.ts).
//
//   message = [authorization id] NUL user NUL password

import { createHash, timingSafeEqual } from 'node:crypto'
import { type ExchangeStep, failedStep, type SaslExchange, type SaslMechanism, shownName } from './sasl-mechanism.ts'

const nothing = new Uint8Array(0)
const invalidUser = 'Authentication failed: Invalid username or password'

/** Of equal length whatever goes in, so that the time it takes tells nothing. */
const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()

export class PlainMechanism implements SaslMechanism {
  readonly name = 'PLAIN'
  readonly #passwordOf: (user: string) => string | undefined

  constructor(passwordOf: (user: string) => string | undefined) {
    this.#passwordOf = passwordOf
  }

  begin(): SaslExchange {
    return { evaluate: (token) => this.#evaluate(token) }
  }

  #evaluate(token: Uint8Array): ExchangeStep {
    const parts = Buffer.from(token).toString('utf8').split('\u0000')
    if (parts.length !== 3) {
      const detail = `Invalid SASL/PLAIN response: expected 3 tokens, got ${parts.length}`
      return failedStep(detail, detail)
    }
    const [authorizationId = '', user = '', password = ''] = parts
    if (user === '') return failedStep('no user is named', 'Authentication failed: username not specified')
    if (password === '') return failedStep('no password is given', 'Authentication failed: password not specified')
    const expected = this.#passwordOf(user)
    const isEqual = timingSafeEqual(digest(password), digest(expected ?? ''))
    if (expected === undefined || !isEqual) return failedStep(`wrong user or password, user ${shownName(user)}`, invalidUser)
    if (authorizationId !== '' && authorizationId !== user) {
      const detail = 'Authentication failed: Client requested an authorization id that is different from username'
      return failedStep(detail, detail)
    }
    return { kind: 'done', reply: nothing, name: user }
  }
}
