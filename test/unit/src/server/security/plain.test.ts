// Owns the claims about PLAIN and the file of its users.

import { describe, expect, it } from 'vitest'
import { PlainMechanism } from '../../../../../src/server/security/plain.ts'
import { parsePlainUsers } from '../../../../../src/server/security/plain-users.ts'

const users = new Map([
  ['alice', 'secret'],
  ['büro', 'pässwort'],
])
const ask = (message: string): unknown => new PlainMechanism((user) => users.get(user)).begin().evaluate(Buffer.from(message))

describe('PLAIN', () => {
  it.each(['\u0000alice\u0000secret', 'alice\u0000alice\u0000secret'])('lets %j in', (message) => {
    expect(ask(message)).toMatchObject({ kind: 'done', name: 'alice' })
  })

  it('takes names and passwords as UTF-8', () => {
    expect(ask('\u0000büro\u0000pässwort')).toMatchObject({ kind: 'done', name: 'büro' })
  })

  it.each([
    ['a wrong password', '\u0000alice\u0000Secret', 'Authentication failed: Invalid username or password'],
    ['an unknown user', '\u0000bob\u0000secret', 'Authentication failed: Invalid username or password'],
    ['an unknown user without a password', '\u0000bob\u0000', 'Authentication failed: password not specified'],
    ['no user', '\u0000\u0000secret', 'Authentication failed: username not specified'],
    [
      'another authorization id',
      'bob\u0000alice\u0000secret',
      'Authentication failed: Client requested an authorization id that is different from username',
    ],
    ['too few parts', 'alice secret', 'Invalid SASL/PLAIN response: expected 3 tokens, got 1'],
    ['too many parts', '\u0000alice\u0000secret\u0000', 'Invalid SASL/PLAIN response: expected 3 tokens, got 4'],
  ])('refuses %s in Kafka’s words, and writes no password into the log', (_what, message, toldToClient) => {
    const step = ask(message)
    expect(step).toMatchObject({ kind: 'failed', toldToClient })
    expect(JSON.stringify(step).toLowerCase()).not.toContain('secret')
  })
})

describe('the file of PLAIN users', () => {
  it('is TOML, a user a line; names with dots are quoted', () => {
    expect([...parsePlainUsers('alice = "a b"\n"first.last" = "x" # a comment\n', 'users.toml')]).toEqual([
      ['alice', 'a b'],
      ['first.last', 'x'],
    ])
  })

  it.each([
    ['alice = hunter2', /users\.toml: line 1 is not TOML/],
    ['alice = 5', /user "alice" has no password/],
    ['alice = ""', /user "alice" has no password/],
    ['first.last = "hunter2"', /user "first" has no password/],
    ['"" = "hunter2"', /no name/],
  ])('says what is wrong with %j without telling a password', (text, expected) => {
    expect(() => parsePlainUsers(text, 'users.toml')).toThrow(expected)
    try {
      parsePlainUsers(text, 'users.toml')
    } catch (error) {
      expect(String(error)).not.toContain('hunter2')
    }
  })
})
