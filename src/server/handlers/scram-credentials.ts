// Owns answering DescribeUserScramCredentials and AlterUserScramCredentials (KIP-554): what may be changed, in Kafka's words. Does not
// own where credentials are kept (broker), nor deriving them (security/scram.ts).

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponse,
  alterUserScramCredentialsResponse,
  alterUserScramCredentialsResult,
  readAlterUserScramCredentialsRequest,
  type ScramCredentialUpsertion,
  writeAlterUserScramCredentialsResponse,
} from '../../protocol/generated/alter-user-scram-credentials.ts'
import {
  credentialInfo,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
  describeUserScramCredentialsResponse,
  type DescribeUserScramCredentialsResult,
  describeUserScramCredentialsResult,
  readDescribeUserScramCredentialsRequest,
  writeDescribeUserScramCredentialsResponse,
} from '../../protocol/generated/describe-user-scram-credentials.ts'
import { ScramMechanism } from '../../protocol/generated/enums.ts'
import type { ScramChange, ScramMechanismName } from '../../broker/core/index.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, KafkaFailure } from '../ports.ts'
import { credentialOf, iterationsMax, iterationsMin } from '../security/scram.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

const names: ReadonlyMap<number, ScramMechanismName> = new Map([
  [ScramMechanism.SCRAM_SHA_256, 'SCRAM-SHA-256'],
  [ScramMechanism.SCRAM_SHA_512, 'SCRAM-SHA-512'],
])
const codes = new Map([...names].map(([code, name]) => [name, code]))

/** Metadata is kept in memory and in every snapshot. */
const bytesMax = 1024

export function scramCredentialApis(ports: HandlerPorts): ServedApi[] {
  return [
    serve<DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse>({
      key: ApiKey.DescribeUserScramCredentials,
      order: 'serial',
      read: readDescribeUserScramCredentialsRequest,
      write: writeDescribeUserScramCredentialsResponse,
      handle: ({ users }, call) => {
        const wanted = users === null || users.length === 0 ? [...ports.broker.scram.users()] : users.map(({ name }) => name)
        const twice = repeated(wanted)
        const results = [...new Set(wanted)].map((user) => describe(ports, user, twice.has(user)))
        for (const { errorCode } of results) call.countError(errorCode)
        return describeUserScramCredentialsResponse({ errorMessage: null, results })
      },
      failed: (_request, errorCode) => describeUserScramCredentialsResponse({ errorCode, errorMessage: null }),
    }),
    serve<AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse>({
      key: ApiKey.AlterUserScramCredentials,
      order: 'serial',
      read: readAlterUserScramCredentialsRequest,
      write: writeAlterUserScramCredentialsResponse,
      handle: async (request, call) => {
        const outcomes = await alter(ports, request)
        const results = [...outcomes].map(([user, failure]) => {
          call.countError(failure?.errorCode ?? ErrorCode.NONE)
          return resultOf(user, failure)
        })
        return alterUserScramCredentialsResponse({ results })
      },
      failed: (request, errorCode) =>
        alterUserScramCredentialsResponse({
          results: [...usersOf(request)].map((user) => resultOf(user, { errorCode, message: null })),
        }),
    }),
  ]
}

function describe({ broker }: HandlerPorts, user: string, isTwice: boolean): DescribeUserScramCredentialsResult {
  const refused = (errorCode: number, errorMessage: string): DescribeUserScramCredentialsResult =>
    describeUserScramCredentialsResult({ user, errorCode, errorMessage })
  if (isTwice) {
    const message = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`
    return refused(ErrorCode.DUPLICATE_RESOURCE, message)
  }
  const own = broker.scram.of(user)
  if (own === undefined)
    return refused(ErrorCode.RESOURCE_NOT_FOUND, `Attempt to describe a user credential that does not exist: ${user}`)
  const credentialInfos = [...own].map(([mechanism, { iterations }]) =>
    credentialInfo({ mechanism: codes.get(mechanism) ?? ScramMechanism.UNKNOWN, iterations }),
  )
  return describeUserScramCredentialsResult({ user, errorMessage: null, credentialInfos })
}

const resultOf = (user: string, failure: KafkaFailure | undefined): ReturnType<typeof alterUserScramCredentialsResult> =>
  alterUserScramCredentialsResult({
    user,
    errorCode: failure?.errorCode ?? ErrorCode.NONE,
    errorMessage: failure?.message ?? null,
  })

const usersOf = ({ deletions, upsertions }: AlterUserScramCredentialsRequest): ReadonlySet<string> =>
  new Set([...deletions, ...upsertions].map(({ name }) => name))

/** By user: what is wrong with one of a user's changes refuses all of that user's, and nobody else's. */
async function alter(
  ports: HandlerPorts,
  request: AlterUserScramCredentialsRequest,
): Promise<ReadonlyMap<string, KafkaFailure | undefined>> {
  const outcomes = new Map<string, KafkaFailure | undefined>()
  const changes: ScramChange[] = []
  const twice = repeated([...request.deletions, ...request.upsertions].map(({ name, mechanism }) => `${mechanism} ${name}`))
  const note = (user: string, failure: KafkaFailure | undefined): void => {
    outcomes.set(user, outcomes.get(user) ?? failure)
  }
  for (const { name: user, mechanism: code } of request.deletions) {
    const mechanism = names.get(code)
    const failure = faultOf(user, mechanism, twice.has(`${code} ${user}`)) ?? missingFault(ports, user, mechanism)
    note(user, failure)
    if (mechanism !== undefined) changes.push({ user, mechanism, credential: null })
  }
  for (const upsertion of request.upsertions) {
    const { name: user, mechanism: code } = upsertion
    const mechanism = names.get(code)
    note(user, faultOf(user, mechanism, twice.has(`${code} ${user}`)) ?? credentialFault(upsertion))
    if (mechanism !== undefined) changes.push({ user, mechanism, credential: credentialOf({ ...upsertion, mechanism }) })
  }
  const good = changes.filter(({ user }) => outcomes.get(user) === undefined)
  if (good.length === 0) return outcomes
  const late = { ok: false as const, failure: { errorCode: ErrorCode.REQUEST_TIMED_OUT, message: 'the change is not in the bucket yet; it goes on' } } // prettier-ignore
  const altered = await within(ports.clock, ports.limits.metadata.changeMs, ports.broker.scram.alter(good), () => late)
  if (!altered.ok) for (const { user } of good) outcomes.set(user, altered.failure)
  return outcomes
}

const unacceptable = (message: string): KafkaFailure => ({ errorCode: ErrorCode.UNACCEPTABLE_CREDENTIAL, message })

function faultOf(user: string, mechanism: ScramMechanismName | undefined, isTwice: boolean): KafkaFailure | undefined {
  if (user === '') return unacceptable('Username must not be empty')
  if (Buffer.byteLength(user) > bytesMax) return unacceptable(`Username must not be longer than ${bytesMax} bytes`)
  if (mechanism === undefined) return { errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, message: 'Unknown SCRAM mechanism' }
  if (!isTwice) return undefined
  return { errorCode: ErrorCode.DUPLICATE_RESOURCE, message: 'A user credential cannot be altered twice in the same request' }
}

function missingFault(
  { broker }: HandlerPorts,
  user: string,
  mechanism: ScramMechanismName | undefined,
): KafkaFailure | undefined {
  if (mechanism !== undefined && broker.scram.of(user)?.has(mechanism) === true) return undefined
  return {
    errorCode: ErrorCode.RESOURCE_NOT_FOUND,
    message: 'Attempt to delete a user credential that does not exist',
  }
}

function credentialFault({ iterations, salt, saltedPassword }: ScramCredentialUpsertion): KafkaFailure | undefined {
  if (iterations < iterationsMin) return unacceptable('Too few iterations')
  if (iterations > iterationsMax) return unacceptable('Too many iterations')
  const isSized = [salt, saltedPassword].every(({ length }) => length > 0 && length <= bytesMax)
  return isSized ? undefined : unacceptable(`Salt and salted password must have 1 to ${bytesMax} bytes`)
}
