// Owns putting together what the settings ask for: the TLS identity, the mechanisms of SASL with their users and keys, and the first
// administrator. Not what any of them does.

import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import type { IdSource } from '../../base/prng.ts'
import type { ScramUsers } from '../../broker/api.ts'
import { type ScramChange, type ScramMechanismName, scramMechanismNames } from '../../broker/core/index.ts'
import type { ListenerPlan } from '../listener/endpoint.ts'
import { LogLimiter } from '../listener/log-limiter.ts'
import type { ListenerLimits } from '../limits.ts'
import type { NodeSettings } from '../node-settings.ts'
import { SaslAuthentication } from './authentication.ts'
import { parseMappingRules } from './mapping-rules.ts'
import { OauthBearerMechanism } from './oauth-bearer.ts'
import { PlainMechanism } from './plain.ts'
import { PlainUsers } from './plain-users.ts'
import { usesSasl, usesTls } from './protocol.ts'
import type { SaslMechanism, SaslName } from './sasl-mechanism.ts'
import { credentialFor, ScramMechanism } from './scram.ts'
import { type TlsIdentity, type TlsKey, WatchedTlsIdentity } from './tls-identity.ts'

interface SecurityWorld {
  readonly clock: Clock
  readonly log: Log
  readonly idSource: IdSource
}

/** What the Kafka front is given. */
export interface FrontSecurity {
  /** By the name of the listener. */
  readonly tls: ReadonlyMap<string, TlsIdentity>
  readonly mechanisms: ReadonlyMap<string, SaslMechanism>
  readonly sessionMsMax: number
}

export const noSecurity: FrontSecurity = { tls: new Map(), mechanisms: new Map(), sessionMsMax: 0 }

/** A new connection's state, on a listener with SASL. */
export function saslAuthentication(security: FrontSecurity, limits: ListenerLimits, clock: Clock): SaslAuthentication {
  return new SaslAuthentication({
    mechanisms: security.mechanisms,
    sessionMsMax: security.sessionMsMax,
    clock,
    frameBytesMax: limits.authenticationBytesMax,
    failureDelayMs: limits.authenticationFailureMs,
  })
}

/** Opened before anything else: files that are wrong end the start at once. */
export class NodeSecurity {
  readonly #world: SecurityWorld
  readonly #settings: NodeSettings
  readonly #tls: FrontSecurity['tls']
  readonly #mechanisms: ReadonlyArray<(scram: ScramUsers) => SaslMechanism>
  readonly #closers: ReadonlyArray<() => void>

  private constructor(
    settings: NodeSettings,
    world: SecurityWorld,
    parts: {
      readonly tls: FrontSecurity['tls']
      readonly mechanisms: ReadonlyArray<(scram: ScramUsers) => SaslMechanism>
      readonly closers: ReadonlyArray<() => void>
    },
  ) {
    this.#settings = settings
    this.#world = world
    this.#tls = parts.tls
    this.#mechanisms = parts.mechanisms
    this.#closers = parts.closers
  }

  /** Throws OpError `invalid`, which names the setting and the remedy. */
  static async open(settings: NodeSettings, listeners: readonly ListenerPlan[], world: SecurityWorld): Promise<NodeSecurity> {
    const closers: Array<() => void> = []
    try {
      const tls = await openIdentities(settings, listeners, { ...world, closers })
      const mechanisms: Array<(scram: ScramUsers) => SaslMechanism> = []
      if (listeners.some(({ protocol }) => usesSasl(protocol))) {
        for (const name of settings.sasl.mechanisms) mechanisms.push(await openMechanism(name, settings, { ...world, closers }))
      }
      return new NodeSecurity(settings, world, { tls, mechanisms, closers })
    } catch (error) {
      for (const close of closers) close()
      throw error
    }
  }

  front(scram: ScramUsers): FrontSecurity {
    const mechanisms = new Map(
      this.#mechanisms.map((make) => make(scram)).map((mechanism) => [mechanism.name as string, mechanism]),
    )
    return { tls: this.#tls, mechanisms, sessionMsMax: this.#settings.sasl.sessionMsMax }
  }

  /** The administrator of the settings gets its SCRAM credentials, unless it has some: a password changed since stays. */
  async makeAdministrator(scram: ScramUsers): Promise<void> {
    const { adminUser: user, adminPassword: password } = this.#settings.sasl
    if (user === undefined || password === undefined || scram.of(user) !== undefined) return
    const { idSource, log } = this.#world
    const changes: ScramChange[] = []
    for (const mechanism of scramMechanismNames)
      changes.push({ user, mechanism, credential: await credentialFor(mechanism, password, idSource) })
    const made = await scram.alter(changes)
    if (!made.ok) {
      const detail = `the user of sasl.admin-user could not be stored: ${made.failure.message ?? 'the log names the reason'}; start again`
      throw new OpError('retry', { code: 'ADMIN_USER_NOT_STORED', detail })
    }
    log.info('made the first SCRAM user', { user })
  }

  close(): void {
    for (const close of this.#closers) close()
  }
}

type Closing = SecurityWorld & { readonly closers: Array<() => void> }

/** Listeners with nothing of their own share one. */
async function openIdentities(
  settings: NodeSettings,
  listeners: readonly ListenerPlan[],
  world: Closing,
): Promise<FrontSecurity['tls']> {
  const identities = new Map<string, TlsIdentity>()
  let shared: TlsIdentity | undefined
  for (const { name, protocol } of listeners) {
    if (!usesTls(protocol)) continue
    const own = settings.listenerTls[name]
    if (own === undefined) shared ??= await openTls(settings.tls, settings, { ...world, settingOf: (key) => `tls.${key}` })
    const identity =
      own === undefined
        ? shared
        : await openTls({ ...settings.tls, ...own }, settings, {
            ...world,
            log: world.log.with({ listener: name }),
            settingOf: (key) => (camelCase(key) in own ? `listener-tls.${name}.${key}` : `tls.${key}`),
          })
    if (identity !== undefined) identities.set(name, identity)
  }
  return identities
}

const camelCase = (key: string): string => key.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

async function openTls(
  tls: NodeSettings['tls'],
  { security: { reloadIntervalMs } }: NodeSettings,
  world: Closing & { readonly settingOf: (key: TlsKey) => string },
): Promise<WatchedTlsIdentity> {
  const { certificateFile, keyFile, principalMappingRules, ...others } = tls
  const { settingOf } = world
  if (certificateFile === undefined || keyFile === undefined) {
    const detail = `a listener uses TLS, but there is no certificate; set ${settingOf('certificate-file')} and ${settingOf('key-file')}`
    throw new OpError('invalid', { code: 'TLS_CERTIFICATE_MISSING', detail })
  }
  const rules = parseMappingRules(principalMappingRules)
  if (!rules.ok) {
    const detail = `${settingOf('principal-mapping-rules')}: ${rules.failure}`
    throw new OpError('invalid', { code: 'MAPPING_RULES_INVALID', detail })
  }
  const identity = await WatchedTlsIdentity.open(
    { ...others, certificateFile, keyFile, reloadIntervalMs, settingOf },
    rules.value,
    world,
  )
  world.closers.push(() => {
    identity.close()
  })
  return identity
}

async function openMechanism(
  name: SaslName,
  settings: NodeSettings,
  world: Closing,
): Promise<(scram: ScramUsers) => SaslMechanism> {
  const { sasl, security } = settings
  const { closers, idSource, clock, log } = world
  switch (name) {
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return scramMechanism(name, idSource)
    case 'PLAIN': {
      const users = await PlainUsers.open(sasl.plainUsersFile ?? '', { clock, log, intervalMs: security.reloadIntervalMs })
      closers.push(() => { users.close() }) // prettier-ignore
      return () => new PlainMechanism(users.passwordOf)
    }
    case 'OAUTHBEARER': {
      // Only who uses tokens pays for the library.
      const { openTokenVerifier } = await import('./token-verifier.ts')
      const verifier = await openTokenVerifier(
        {
          jwksFile: sasl.oauthJwksFile,
          jwksUrl: sasl.oauthJwksUrl,
          issuer: sasl.oauthIssuer,
          audience: sasl.oauthAudience,
          subjectClaim: sasl.oauthSubjectClaim,
          clockSkewMs: sasl.oauthClockSkewMs,
          reloadIntervalMs: security.reloadIntervalMs,
        },
        { clock, log },
      )
      closers.push(verifier.close)
      const limiter = new LogLimiter(log, clock)
      return () =>
        new OauthBearerMechanism(verifier.verify, (reason) => {
          limiter.warn('token', 'refused a bearer token', { reason })
        })
    }
  }
}

function scramMechanism(name: ScramMechanismName, idSource: IdSource): (scram: ScramUsers) => SaslMechanism {
  return (scram) => new ScramMechanism(name, { credentialOf: (user, mechanism) => scram.of(user)?.get(mechanism), idSource })
}
