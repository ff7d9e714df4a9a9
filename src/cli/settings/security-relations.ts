// Owns what must hold between the settings of listeners, TLS and SASL. Each rule says what to do; relations.ts puts them among the others.

import { showAddress } from './kinds.ts'
import type { Relation } from './relation.ts'
import { listenerTlsKey, type Settings, type TlsSettings } from './schema.ts'
import type { ListenerAddress } from './security-kinds.ts'

export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '::0'].includes(host)

/** Every listener, whichever way it was written. */
function listenersIn({ kafka }: Settings): readonly ListenerAddress[] {
  const { listen, securityProtocol: protocol } = kafka
  return kafka.listeners.length > 0 ? kafka.listeners : [{ ...listen, name: protocol, protocol }]
}

const anyProtocol = (settings: Settings, test: RegExp): boolean =>
  listenersIn(settings).some(({ protocol }) => test.test(protocol))
const hasMechanism = (settings: Settings, name: Settings['sasl']['mechanisms'][number]): boolean =>
  anyProtocol(settings, /^SASL/) && settings.sasl.mechanisms.includes(name)

function advertisedBreach({ kafka }: Settings): string | undefined {
  for (const { name } of kafka.advertisedListeners) {
    if (!kafka.listeners.some((listener) => listener.name === name))
      return `there is no listener ${name}; name one of kafka.listeners`
  }
  for (const { name, host } of kafka.listeners) {
    const advertised = kafka.advertisedListeners.find((one) => one.name === name)
    if (advertised === undefined) {
      if (!isWildcard(host)) continue
      return `clients cannot connect to ${host}; add ${name}://host:port, by which they reach this node, to kafka.advertised-listeners`
    }
    if (isWildcard(advertised.host) || advertised.port === 0)
      return `clients cannot connect to ${showAddress(advertised)}; name a host and a port`
  }
  return undefined
}

function withTls(settings: Settings): ReadonlyArray<{ readonly name: string; readonly tls: TlsSettings }> {
  return listenersIn(settings)
    .filter(({ protocol }) => protocol.endsWith('SSL'))
    .map(({ name }) => ({ name, tls: { ...settings.tls, ...settings.listenerTls[name] } }))
}

function ownTlsBreach(settings: Settings): string | undefined {
  for (const name of Object.keys(settings.listenerTls)) {
    const listener = listenersIn(settings).find((one) => one.name === name)
    if (listener === undefined) return `${listenerTlsKey}.${name} is of no listener; name one that there is`
    if (!listener.protocol.endsWith('SSL'))
      return `${listenerTlsKey}.${name}: listener ${name} speaks ${listener.protocol}, without TLS; take this away, or make it SSL or SASL_SSL`
  }
  return undefined
}

export const securityRelations: readonly Relation[] = [
  {
    about: ['kafka.listeners', 'kafka.advertised'],
    breach: ({ kafka }) =>
      kafka.listeners.length > 0 && (kafka.advertised !== undefined || kafka.securityProtocol !== 'PLAINTEXT')
        ? 'kafka.advertised and kafka.security-protocol belong to kafka.listen; write them into kafka.advertised-listeners and kafka.listeners'
        : undefined,
  },
  { about: ['kafka.advertised-listeners', 'kafka.listeners'], breach: advertisedBreach },
  {
    about: ['kafka.listeners', 'http.listen'],
    breach: (settings) => {
      const taken = new Set(settings.http.listen.port === 0 ? [] : [showAddress(settings.http.listen)])
      for (const listener of settings.kafka.listeners) {
        if (listener.port === 0) continue
        if (taken.has(showAddress(listener))) return `two listen on ${showAddress(listener)}; give each a port of its own`
        taken.add(showAddress(listener))
      }
      return undefined
    },
  },
  { about: ['kafka.listeners'], breach: ownTlsBreach },
  {
    about: ['tls.certificate-file', 'tls.key-file'],
    breach: (settings) => {
      const bare = withTls(settings).find(({ tls }) => tls.certificateFile === undefined || tls.keyFile === undefined)
      return bare === undefined
        ? undefined
        : `listener ${bare.name} uses TLS and needs both; name the certificate and its key, in PEM, here or under ${listenerTlsKey}.${bare.name}`
    },
  },
  {
    about: ['tls.client-auth', 'tls.ca-file'],
    breach: (settings) => {
      const without = (tls: TlsSettings): boolean => tls.clientAuth !== 'none' && tls.caFile === undefined
      const remedy = 'clients are asked for certificates; name the authorities they come from in'
      if (Object.keys(settings.listenerTls).length === 0) return without(settings.tls) ? `${remedy} tls.ca-file` : undefined
      const bare = withTls(settings).find(({ tls }) => without(tls))
      return bare === undefined ? undefined : `${remedy} tls.ca-file or ${listenerTlsKey}.${bare.name}.ca-file`
    },
  },
  {
    about: ['sasl.mechanisms', 'sasl.plain-users-file'],
    breach: (settings) =>
      hasMechanism(settings, 'PLAIN') && settings.sasl.plainUsersFile === undefined
        ? 'PLAIN needs its users; name their file in sasl.plain-users-file'
        : undefined,
  },
  {
    about: ['sasl.mechanisms', 'sasl.oauth-jwks-file', 'sasl.oauth-jwks-url'],
    breach: (settings) => {
      const { oauthJwksFile, oauthJwksUrl } = settings.sasl
      if (oauthJwksFile !== undefined && oauthJwksUrl !== undefined) return 'both say where the keys are; keep one'
      return hasMechanism(settings, 'OAUTHBEARER') && oauthJwksFile === undefined && oauthJwksUrl === undefined
        ? 'OAUTHBEARER needs the keys that tokens are signed with; set sasl.oauth-jwks-file or sasl.oauth-jwks-url'
        : undefined
    },
  },
  {
    about: ['sasl.mechanisms', 'sasl.oauth-issuer', 'sasl.oauth-audience'],
    breach: (settings) =>
      hasMechanism(settings, 'OAUTHBEARER') &&
      (settings.sasl.oauthIssuer === undefined || settings.sasl.oauthAudience === undefined)
        ? 'OAUTHBEARER needs both: without them a token that was made for another service would do here'
        : undefined,
  },
  {
    about: ['acl.enabled', 'acl.super-users'],
    breach: ({ acl }) =>
      acl.enabled && acl.superUsers.length === 0
        ? 'nobody could give anybody a right; name at least one super user, for example User:admin'
        : undefined,
  },
  {
    about: ['sasl.admin-user', 'sasl.admin-password'],
    breach: ({ sasl }) =>
      (sasl.adminUser === undefined) === (sasl.adminPassword === undefined)
        ? undefined
        : 'one is set without the other; set both, or neither',
  },
]
