// Owns whether a bearer token is good: a JWT, signed by a key of the JWKS, from the right issuer, for us, and not expired. Not the
// exchange (oauth-bearer.ts). The cryptography and the fetching of keys are jose's.

import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../base/clock.ts'
import { dateAt } from '../../base/iso-time.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { WatchedFiles } from './watched-files.ts'

export interface GoodToken {
  readonly name: string
  readonly expiresAtMs: number
}

/** The failure is for our log: it holds nothing of the token. */
export type VerifyToken = (token: string) => Promise<Outcome<GoodToken, string>>

export interface TokenSettings {
  readonly jwksFile: string | undefined
  readonly jwksUrl: string | undefined
  readonly issuer: string | undefined
  readonly audience: string | undefined
  readonly subjectClaim: string
  readonly clockSkewMs: number
  readonly reloadIntervalMs: number
}

/** Signatures by key pairs only: with a shared secret whoever can check a token could make one. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const fileSetting = 'sasl.oauth-jwks-file'
/** Longer names get into no log and no ACL. */
const nameLengthMax = 1024
const fetchTimeoutMs = 5_000

function keysOf(path: string, text: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet)
  } catch (cause) {
    const detail = `${fileSetting} names ${path}, which holds no JWKS; name a JSON file like {"keys":[…]} with public keys`
    throw new OpError('invalid', { code: 'JWKS_INVALID', detail, cause })
  }
}

export interface TokenVerifier {
  readonly verify: VerifyToken
  close(): void
}

/** Throws OpError `invalid` when the file of keys is none. Keys behind a URL are fetched when the first token comes. */
export async function openTokenVerifier(
  settings: TokenSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<TokenVerifier> {
  const { jwksFile, jwksUrl } = settings
  if (jwksUrl !== undefined) {
    const remote = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: fetchTimeoutMs })
    return { verify: verifierOf(settings, clock, () => remote), close: () => undefined }
  }
  const path = jwksFile ?? ''
  const bytes = await readFile(path).catch((cause: unknown) => {
    const detail = `${fileSetting} names ${path}, which cannot be read; name a file this process may read`
    throw new OpError('invalid', { code: 'FILE_UNREADABLE', detail, cause })
  })
  let keys = keysOf(path, bytes.toString('utf8'))
  const watch = new WatchedFiles(new Map([[fileSetting, bytes]]), {
    files: [{ setting: fileSetting, path }],
    intervalMs: settings.reloadIntervalMs,
    clock,
    onChanged: (contents) => {
      keys = keysOf(path, contents.get(fileSetting)?.toString('utf8') ?? '')
      log.info('the keys of bearer tokens were read again')
    },
    onTrouble: ({ code, detail }) => {
      log.warn('the changed keys of bearer tokens are not taken; those before stay', { code, detail })
    },
  })
  return { verify: verifierOf(settings, clock, () => keys), close: () => { watch.close() } } // prettier-ignore
}

function verifierOf(settings: TokenSettings, clock: Clock, keys: () => JWTVerifyGetKey): VerifyToken {
  const { issuer, audience, subjectClaim, clockSkewMs } = settings
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys(), {
        algorithms,
        clockTolerance: clockSkewMs / 1000,
        // jose wants the time as the language has it; it comes from the clock that is passed in.
        currentDate: dateAt(clock.nowMs()),
        requiredClaims: ['exp', subjectClaim],
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience: audience.split(',').map((one) => one.trim()) }),
      })
      const name = payload[subjectClaim]
      if (typeof name !== 'string' || name === '' || name.length > nameLengthMax)
        return fail(`the token’s claim ${subjectClaim} names nobody`)
      return succeed({ name, expiresAtMs: (payload.exp ?? 0) * 1000 })
    } catch (error) {
      if (error instanceof errors.JOSEError) return fail(`the token was refused: ${error.code}`)
      // The keys could not be fetched: fetch and DNS throw errors of their own.
      return fail(`the token could not be checked: ${error instanceof Error ? error.message : 'the keys cannot be fetched'}`)
    }
  }
}
