// Owns the kinds of value that listeners and their security have: named addresses, mechanisms, mapping rules. Not which settings there
// are (security-schema.ts) nor how they relate (security-relations.ts).

import { type Outcome, fail, succeed } from '../../base/outcome.ts'
import { type Address, type Kind, address, showAddress } from './kinds.ts'

export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof securityProtocols)[number]

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
export type SaslMechanismName = (typeof saslMechanisms)[number]

export interface NamedAddress extends Address {
  readonly name: string
}

export interface ListenerAddress extends NamedAddress {
  readonly protocol: SecurityProtocol
}

const words = (written: string): readonly string[] =>
  written
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

/** Every item good, or the first failure; no name twice. */
function listOf<Item extends { readonly name: string }>(
  written: string,
  parse: (word: string) => Outcome<Item, string>,
): Outcome<readonly Item[], string> {
  const items: Item[] = []
  for (const word of words(written)) {
    const item = parse(word)
    if (!item.ok) return item
    if (items.some(({ name }) => name === item.value.name))
      return fail(`names ${item.value.name} twice; give each a name of its own`)
    items.push(item.value)
  }
  return succeed(items)
}

const example = 'write for example SASL_SSL://0.0.0.0:9093, or INTERNAL=PLAINTEXT://127.0.0.1:9092'

function parseListener(word: string): Outcome<ListenerAddress, string> {
  const [, given, scheme, rest] = /^(?:([A-Za-z0-9_-]+)=)?([A-Za-z0-9_]+):\/\/(.+)$/.exec(word) ?? []
  if (rest === undefined) return fail(`has \`${word}\`, which is no listener; ${example}`)
  const protocol = securityProtocols.find((one) => one === scheme)
  if (protocol === undefined)
    return fail(`has \`${word}\`, whose protocol is none of ${securityProtocols.join(', ')}; ${example}`)
  const parsed = address.parse(rest)
  if (!parsed.ok) return fail(`has \`${word}\`: ${rest} ${parsed.failure}`)
  return succeed({ name: given ?? protocol, protocol, ...parsed.value })
}

export const listenerAddresses: Kind<readonly ListenerAddress[]> = {
  name: '[name=]protocol://host:port, …',
  parse: (written) => listOf(written, parseListener),
  show: (listeners) =>
    listeners.map((one) => `${one.name === one.protocol ? '' : `${one.name}=`}${one.protocol}://${showAddress(one)}`).join(','),
}

function parseNamed(word: string): Outcome<NamedAddress, string> {
  const [, name, rest] = /^([A-Za-z0-9_-]+):\/\/(.+)$/.exec(word) ?? []
  if (name === undefined || rest === undefined)
    return fail(`has \`${word}\`; write name://host:port, for example SASL_SSL://broker.example:9093`)
  const parsed = address.parse(rest)
  return parsed.ok ? succeed({ name, ...parsed.value }) : fail(`has \`${word}\`: ${rest} ${parsed.failure}`)
}

export const namedAddresses: Kind<readonly NamedAddress[]> = {
  name: 'name://host:port, …',
  parse: (written) => listOf(written, parseNamed),
  show: (all) => all.map((one) => `${one.name}://${showAddress(one)}`).join(','),
}

export const mechanismNames: Kind<readonly SaslMechanismName[]> = {
  name: 'mechanism, …',
  parse: (written) => {
    const names = words(written)
    const known = saslMechanisms.filter((name) => names.includes(name))
    const unknown = names.find((name) => !saslMechanisms.some((one) => one === name))
    if (unknown !== undefined) return fail(`has ${unknown}, which is not known; there are ${saslMechanisms.join(', ')}`)
    return known.length === 0 ? fail(`names no mechanism; there are ${saslMechanisms.join(', ')}`) : succeed(known)
  },
  show: (names) => names.join(','),
}

/** An https URL, absent where the text is empty. Whoever can change what it answers can make tokens: http is for this host alone. */
export const optionalUrl: Kind<string | undefined> = {
  name: 'URL or empty',
  parse: (written) => {
    if (written === '') return succeed(undefined)
    const isSafe = /^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/])[^\s@]+$/.test(written)
    return isSafe && URL.canParse(written)
      ? succeed(written)
      : fail('is not an https address (http only on this host); write for example https://login.example/keys')
  },
  show: (value) => value ?? '',
}

/** Separated by semicolons, as Kafka's super.users: a distinguished name has commas of its own. */
export const principals: Kind<readonly string[]> = {
  name: 'User:name; …',
  parse: (written) => {
    const all = written
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== '')
    const wrong = all.find((one) => !/^User:./.test(one))
    return wrong === undefined ? succeed(all) : fail(`has \`${wrong}\`, which is no principal; write for example User:admin`)
  },
  show: (all) => all.join('; '),
}
