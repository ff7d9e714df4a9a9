// Owns the users of SASL SCRAM as the metadata machine keeps them: salt, iterations and the two derived keys (RFC 5802), never a
// password. Commands change it through ClusterState. Not the exchange with a client (src/server/security).

export type ScramMechanismName = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export const scramMechanismNames: readonly ScramMechanismName[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** Salt and keys as base64. */
export interface ScramCredential {
  readonly iterations: number
  readonly salt: string
  readonly storedKey: string
  readonly serverKey: string
}

export interface ScramChange {
  readonly user: string
  readonly mechanism: ScramMechanismName
  /** Null takes the credential away. */
  readonly credential: ScramCredential | null
}

export type ScramCredentialsOfUser = ReadonlyMap<ScramMechanismName, ScramCredential>

/** In snapshots. */
export type ScramForm = ReadonlyArray<ScramChange & { readonly credential: ScramCredential }>

function isCredential(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { iterations, salt, storedKey, serverKey } = value as Partial<Record<keyof ScramCredential, unknown>>
  const texts = [salt, storedKey, serverKey]
  return Number.isSafeInteger(iterations) && texts.every((text) => typeof text === 'string')
}

/** Whether this is a list of changes, as a command or a snapshot holds it. */
export function areScramChanges(value: unknown): value is readonly ScramChange[] {
  return (
    Array.isArray(value) &&
    (value as ReadonlyArray<Partial<Record<keyof ScramChange, unknown>> | null>).every((change) => {
      const isNamed = typeof change?.user === 'string' && scramMechanismNames.some((name) => name === change.mechanism)
      return isNamed && (change.credential === null || isCredential(change.credential))
    })
  )
}

export class ScramCredentials {
  readonly #byUser = new Map<string, Map<ScramMechanismName, ScramCredential>>()

  of(user: string): ScramCredentialsOfUser | undefined {
    return this.#byUser.get(user)
  }

  users(): Iterable<string> {
    return this.#byUser.keys()
  }

  /** A credential that is to go and is not there is no fault: somebody took it away meanwhile. */
  apply(changes: readonly ScramChange[]): void {
    for (const { user, mechanism, credential } of changes) {
      const own = this.#byUser.get(user) ?? new Map<ScramMechanismName, ScramCredential>()
      if (credential === null) own.delete(mechanism)
      else own.set(mechanism, credential)
      if (own.size > 0) this.#byUser.set(user, own)
      else this.#byUser.delete(user)
    }
  }

  form(): ScramForm {
    return [...this.#byUser].flatMap(([user, own]) =>
      [...own].map(([mechanism, credential]) => ({ user, mechanism, credential })),
    )
  }

  restore(form: readonly ScramChange[]): void {
    this.#byUser.clear()
    this.apply(form)
  }
}
