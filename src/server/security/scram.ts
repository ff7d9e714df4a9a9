// Owns SASL SCRAM (RFC 5802, RFC 7677) on the server's side: the exchange with one client. Not where credentials are kept (broker).
//
//   client: n,,n=user,r=nonce                 server: r=nonce+ours,s=salt,i=iterations
//   client: c=biws,r=nonce+ours,p=proof       server: v=signature
//
// A user that is not there gets an exchange all the same, with a salt that stays the same: who guesses names learns nothing. Names are
// taken as they are written, without SASLprep, as Kafka takes them.

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { IdSource } from '../../base/prng.ts'
import type { ScramCredential, ScramMechanismName } from '../../broker/core/index.ts'
import { type ExchangeStep, failedStep, type SaslExchange, type SaslMechanism, shownName } from './sasl-mechanism.ts'

/** The fewest that RFC 7677 allows, and Kafka. */
export const iterationsMin = 4096
/** Kafka's: more would let a client make every other client's login slow. */
export const iterationsMax = 16_384
const saltBytes = 32

interface Hash {
  readonly algorithm: 'sha256' | 'sha512'
  readonly bytes: number
}

const hashes: Readonly<Record<ScramMechanismName, Hash>> = {
  'SCRAM-SHA-256': { algorithm: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { algorithm: 'sha512', bytes: 64 },
}

const hmac = ({ algorithm }: Hash, key: Uint8Array, text: string): Buffer =>
  createHmac(algorithm, key).update(text, 'utf8').digest()

const digestOf = ({ algorithm }: Hash, bytes: Uint8Array): Buffer => createHash(algorithm).update(bytes).digest()

export interface SaltedPassword {
  readonly mechanism: ScramMechanismName
  readonly iterations: number
  readonly salt: Uint8Array
  readonly saltedPassword: Uint8Array
}

/** Only what is derived is kept: the salted password would do to log in, these two keys do not. */
export function credentialOf({ mechanism, iterations, salt, saltedPassword }: SaltedPassword): ScramCredential {
  const hash = hashes[mechanism]
  return {
    iterations,
    salt: Buffer.from(salt).toString('base64'),
    storedKey: digestOf(hash, hmac(hash, saltedPassword, 'Client Key')).toString('base64'),
    serverKey: hmac(hash, saltedPassword, 'Server Key').toString('base64'),
  }
}

export async function credentialFor(
  mechanism: ScramMechanismName,
  password: string,
  idSource: IdSource,
): Promise<ScramCredential> {
  const { algorithm, bytes } = hashes[mechanism]
  const salt = Buffer.concat([idSource.nextId(), idSource.nextId()])
  const iterations = 2 * iterationsMin
  const saltedPassword = await promisify(pbkdf2)(Buffer.from(password, 'utf8'), salt, iterations, bytes, algorithm)
  return credentialOf({ mechanism, iterations, salt, saltedPassword })
}

/** `=2C` and `=3D` stand for comma and equals sign; any other equals sign is wrong. Undefined then. */
function nameOf(written: string): string | undefined {
  return /^(?:[^=,\u0000]|=2C|=3D)+$/.test(written) ? written.replaceAll('=2C', ',').replaceAll('=3D', '=') : undefined
}

interface ClientFirst {
  /** What comes before the message proper, echoed by the client later. */
  readonly header: string
  readonly bare: string
  readonly user: string
  readonly authorizationId: string
  readonly nonce: string
}

const printable = '[\\x21-\\x2b\\x2d-\\x7e]+'
const clientFirstForm = new RegExp(`^([ny],(?:a=([^,]*))?,)(n=([^,]*),r=(${printable})(?:,[A-Za-z]+=[^\\u0000]*)?)$`)
const clientFinalForm = new RegExp(`^(c=([A-Za-z0-9+/=]+),r=(${printable})(?:,[A-Za-z]+=[^\\u0000]*)?),p=([A-Za-z0-9+/]+={0,2})$`)

function readClientFirst(text: string): ClientFirst | undefined {
  const [, header = '', authorizationId = '', bare = '', written = '', nonce = ''] = clientFirstForm.exec(text) ?? []
  const user = nameOf(written)
  const authorized = authorizationId === '' ? '' : nameOf(authorizationId)
  if (user === undefined || authorized === undefined) return undefined
  return { header, bare, user, authorizationId: authorized, nonce }
}

export interface ScramPorts {
  credentialOf(user: string, mechanism: ScramMechanismName): ScramCredential | undefined
  readonly idSource: IdSource
}

export class ScramMechanism implements SaslMechanism {
  readonly name: ScramMechanismName
  readonly #ports: ScramPorts
  /** Makes the salts of users that are not there; new with each process. */
  readonly #secret: Uint8Array

  constructor(name: ScramMechanismName, ports: ScramPorts) {
    this.name = name
    this.#ports = ports
    this.#secret = Buffer.concat([ports.idSource.nextId(), ports.idSource.nextId()])
  }

  begin(): SaslExchange {
    return new ScramExchange(this.name, {
      credentialOf: (user) => this.#ports.credentialOf(user, this.name) ?? this.#nobody(user),
      isKnown: (user) => this.#ports.credentialOf(user, this.name) !== undefined,
      serverNonce: Buffer.concat([this.#ports.idSource.nextId(), this.#ports.idSource.nextId()]).toString('base64url'),
    })
  }

  /** A credential that no password fits. */
  #nobody(user: string): ScramCredential {
    const hash = hashes[this.name]
    const derived = (purpose: string): string =>
      createHmac('sha512', this.#secret).update(`${purpose} ${user}`, 'utf8').digest().subarray(0, hash.bytes).toString('base64')
    const salt = Buffer.from(derived('salt'), 'base64').subarray(0, saltBytes).toString('base64')
    return { iterations: iterationsMin, salt, storedKey: derived('stored'), serverKey: derived('server') }
  }
}

interface ExchangePorts {
  credentialOf(user: string): ScramCredential
  isKnown(user: string): boolean
  readonly serverNonce: string
}

interface FirstRound {
  readonly client: ClientFirst
  readonly reply: string
  readonly credential: ScramCredential
}

export class ScramExchange implements SaslExchange {
  readonly #hash: Hash
  readonly #ports: ExchangePorts
  #first: FirstRound | undefined

  constructor(name: ScramMechanismName, ports: ExchangePorts) {
    this.#hash = hashes[name]
    this.#ports = ports
  }

  evaluate(token: Uint8Array): ExchangeStep {
    const text = Buffer.from(token).toString('utf8')
    return this.#first === undefined ? this.#begin(text) : this.#finish(text, this.#first)
  }

  #begin(text: string): ExchangeStep {
    const client = readClientFirst(text)
    if (client === undefined) return failedStep('its first message is not SCRAM')
    if (client.authorizationId !== '' && client.authorizationId !== client.user) {
      const detail = 'Authentication failed: Client requested an authorization id that is different from username'
      return failedStep(detail, detail)
    }
    const credential = this.#ports.credentialOf(client.user)
    const reply = `r=${client.nonce}${this.#ports.serverNonce},s=${credential.salt},i=${credential.iterations}`
    this.#first = { client, reply, credential }
    return { kind: 'continue', reply: Buffer.from(reply) }
  }

  #finish(text: string, { client, reply, credential }: FirstRound): ExchangeStep {
    const [, withoutProof, binding = '', nonce, proofText = ''] = clientFinalForm.exec(text) ?? []
    if (withoutProof === undefined) return failedStep('its last message is not SCRAM')
    // Not equal, as in Kafka: librdkafka before 2.8.1 writes its own half twice. Our half still has to come back whole, in its place.
    if (nonce?.endsWith(`${client.nonce}${this.#ports.serverNonce}`) !== true)
      return failedStep('its nonce is not the one of this exchange')
    if (Buffer.from(binding, 'base64').toString('utf8') !== client.header) return failedStep('its channel binding has changed')
    const proof = Buffer.from(proofText, 'base64')
    if (proof.length !== this.#hash.bytes) return failedStep('its proof is of the wrong length')
    const message = `${client.bare},${reply},${withoutProof}`
    const storedKey = Buffer.from(credential.storedKey, 'base64')
    const signature = hmac(this.#hash, storedKey, message)
    const clientKey = signature.map((byte, at) => byte ^ proof[at]!)
    const isProven = timingSafeEqual(digestOf(this.#hash, clientKey), storedKey)
    if (!isProven || !this.#ports.isKnown(client.user))
      return failedStep(`wrong user or password, user ${shownName(client.user)}`)
    const verifier = hmac(this.#hash, Buffer.from(credential.serverKey, 'base64'), message).toString('base64')
    return { kind: 'done', reply: Buffer.from(`v=${verifier}`), name: client.user }
  }
}
