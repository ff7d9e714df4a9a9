// Owns answering DescribeClientQuotas and AlterClientQuotas (KIP-546): what may be asked and changed, in Kafka's words. Does not own where
// quotas are kept, nor which of them holds for whom (broker), nor holding clients to them (quotas/).

import { isIP } from 'node:net'
import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type AlterClientQuotasRequest,
  type AlterClientQuotasResponse,
  alterClientQuotasResponse,
  readAlterClientQuotasRequest,
  type RequestEntryData,
  responseEntityData,
  responseEntryData,
  type ResponseEntryData,
  writeAlterClientQuotasResponse,
} from '../../protocol/generated/alter-client-quotas.ts'
import {
  type ComponentData,
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
  describeClientQuotasResponse,
  entityData,
  entryData,
  readDescribeClientQuotasRequest,
  valueData,
  writeDescribeClientQuotasResponse,
} from '../../protocol/generated/describe-client-quotas.ts'
import { DescribeClientQuotasRequestConstant as MatchType } from '../../protocol/generated/enums.ts'
import {
  type ClientQuotaKey,
  clientQuotaKeys,
  connectionRateKey,
  type QuotaChange,
  type QuotaEntity,
  quotaEntityKey,
  type QuotaEntityType,
  quotaEntityTypes,
  type QuotaKey,
  type QuotaMatch,
} from '../../broker/core/index.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, KafkaFailure } from '../ports.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

/** Metadata is kept in memory and in every snapshot. */
const nameBytesMax = 1024
/** The largest value of a key; a key that is not here has none. All of these must be whole. */
const wholeMax: ReadonlyMap<QuotaKey, readonly [number, kind: string]> = new Map<QuotaKey, readonly [number, string]>([
  ['producer_byte_rate', [2 ** 63, 'LONG']],
  ['consumer_byte_rate', [2 ** 63, 'LONG']],
  [connectionRateKey, [2 ** 31 - 1, 'INT']],
])
const fractionMax = 1e-6

const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })

export function clientQuotaApis(ports: HandlerPorts): ServedApi[] {
  return [
    serve<DescribeClientQuotasRequest, DescribeClientQuotasResponse>({
      key: ApiKey.DescribeClientQuotas,
      order: 'serial',
      read: readDescribeClientQuotasRequest,
      write: writeDescribeClientQuotasResponse,
      handle: (request, call) => {
        const filter = filterOf(request.components)
        if (!filter.ok) {
          call.countError(filter.failure.errorCode)
          return undescribed(filter.failure)
        }
        return described(ports, filter.value, request.strict)
      },
      failed: (_request, errorCode) => undescribed({ errorCode, message: null }),
    }),
    serve<AlterClientQuotasRequest, AlterClientQuotasResponse>({
      key: ApiKey.AlterClientQuotas,
      order: 'serial',
      read: readAlterClientQuotasRequest,
      write: writeAlterClientQuotasResponse,
      handle: async (request, call) => {
        const entries = await alter(ports, request)
        for (const { errorCode } of entries) call.countError(errorCode)
        return alterClientQuotasResponse({ entries })
      },
      failed: ({ entries }, errorCode) =>
        alterClientQuotasResponse({ entries: entries.map((entry) => resultOf(entry, { errorCode, message: null })) }),
    }),
  ]
}

// --- describing

const undescribed = ({ errorCode, message }: KafkaFailure): DescribeClientQuotasResponse =>
  describeClientQuotasResponse({ errorCode, errorMessage: message, entries: null })

type Filter = ReadonlyMap<QuotaEntityType, QuotaMatch>

function described({ broker }: HandlerPorts, filter: Filter, strict: boolean): DescribeClientQuotasResponse {
  const entries = [...broker.quotas.set.matching(filter, strict)].map(({ entity, values }) =>
    entryData({
      entity: Object.entries(entity).map(([entityType, entityName]) => entityData({ entityType, entityName })),
      values: [...values].map(([key, value]) => valueData({ key, value })),
    }),
  )
  return describeClientQuotasResponse({ errorMessage: null, entries })
}

const typeOf = (name: string): QuotaEntityType | undefined => quotaEntityTypes.find((type) => type === name)

function filterOf(components: readonly ComponentData[]): Outcome<Filter, KafkaFailure> {
  const filter = new Map<QuotaEntityType, QuotaMatch>()
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') return fail(invalid('Invalid empty entity type.'))
    const type = typeOf(entityType)
    if (type === undefined)
      return fail({ errorCode: ErrorCode.UNSUPPORTED_VERSION, message: `Unsupported entity type ${entityType}` })
    if (filter.has(type)) return fail(invalid(`Entity type ${type} cannot appear more than once in the filter.`))
    const matched = matchOf(matchType, match)
    if (!matched.ok) return matched
    filter.set(type, matched.value)
  }
  if (!filter.has('ip') || filter.size === 1) return succeed(filter)
  const why = 'IP filter component should not be used with user or clientId filter component.'
  return fail(invalid(`Invalid entity filter component combination. ${why}`))
}

function matchOf(matchType: number, match: string | null): Outcome<QuotaMatch, KafkaFailure> {
  const unwanted = (name: string): Outcome<never, KafkaFailure> =>
    fail(invalid(`Request specified ${name}, but also specified a match string.`))
  switch (matchType) {
    case MatchType.MATCH_TYPE_EXACT:
      if (match === null) return fail(invalid('Request specified MATCH_TYPE_EXACT, but set match string to null.'))
      return succeed({ kind: 'exact', name: match })
    case MatchType.MATCH_TYPE_DEFAULT:
      return match === null ? succeed({ kind: 'exact', name: null }) : unwanted('MATCH_TYPE_DEFAULT')
    case MatchType.MATCH_TYPE_SPECIFIED:
      return match === null ? succeed({ kind: 'any' }) : unwanted('MATCH_TYPE_SPECIFIED')
    default:
      return fail(invalid(`Unknown match type ${matchType}`))
  }
}

// --- altering

const resultOf = ({ entity }: RequestEntryData, failure: KafkaFailure | undefined): ResponseEntryData =>
  responseEntryData({
    errorCode: failure?.errorCode ?? ErrorCode.NONE,
    errorMessage: failure?.message ?? null,
    entity: entity.map(({ entityType, entityName }) => responseEntityData({ entityType, entityName })),
  })

/** What is wrong with one change of an entity refuses all of that entity's, and no other's. */
async function alter(ports: HandlerPorts, request: AlterClientQuotasRequest): Promise<ResponseEntryData[]> {
  const { broker, clock, limits } = ports
  const planned = request.entries.map((entry) => ({ entry, plan: planOf(entry) }))
  const twice = repeated(planned.flatMap(({ plan }) => (plan.ok ? [quotaEntityKey(plan.value.entity)] : [])))
  const outcomes = planned.map(({ entry, plan }) => {
    if (!plan.ok) return { entry, failure: plan.failure, changes: [] }
    const { entity, changes } = plan.value
    const isTwice = twice.has(quotaEntityKey(entity))
    return { entry, failure: isTwice ? invalid(`Ignoring duplicate entity ${shown(entity)}`) : undefined, changes }
  })
  const good = outcomes.filter(({ failure }) => failure === undefined)
  const changes = good.flatMap((one) => one.changes).filter((change) => isNews(ports, change))
  let late: KafkaFailure | undefined
  if (!request.validateOnly && changes.length > 0) {
    const timedOut = fail({ errorCode: ErrorCode.REQUEST_TIMED_OUT, message: 'the change is not in the bucket yet; it goes on' })
    const altered = await within(clock, limits.metadata.changeMs, broker.quotas.alter(changes), () => timedOut)
    if (!altered.ok) late = altered.failure
  }
  return outcomes.map(({ entry, failure }) => resultOf(entry, failure ?? late))
}

const isNews = ({ broker }: HandlerPorts, { entity, key, value }: QuotaChange): boolean =>
  (broker.quotas.set.of(entity)?.get(key) ?? null) !== value

const shown = (entity: QuotaEntity): string =>
  Object.entries(entity)
    .map(([type, name]) => `${type}=${name ?? '<default>'}`)
    .join(', ')

interface Plan {
  readonly entity: QuotaEntity
  readonly changes: readonly QuotaChange[]
}

function planOf({ entity: parts, ops }: RequestEntryData): Outcome<Plan, KafkaFailure> {
  const entity: Partial<Record<QuotaEntityType, string | null>> = {}
  if (parts.length === 0) return fail(invalid('Invalid empty client quota entity'))
  for (const { entityType, entityName } of parts) {
    const type = typeOf(entityType)
    if (type === undefined) return fail(invalid(`Unhandled client quota entity type: ${entityType}`))
    if (entity[type] !== undefined) return fail(invalid(`Invalid client quota entity, duplicate entity entry ${entityType}`))
    const fault = faultOfName(type, entityName)
    if (fault !== undefined) return fail(invalid(fault))
    entity[type] = entityName
  }
  if (entity.ip !== undefined && parts.length > 1) {
    const why = 'IP entity should not be combined with User or ClientId'
    return fail(invalid(`Invalid quota entity combination, ${why}`))
  }
  return changesOf(entity, ops)
}

function faultOfName(type: QuotaEntityType, name: string | null): string | undefined {
  if (name === null) return undefined
  if (name === '') return `Empty ${type} not supported`
  if (Buffer.byteLength(name) > nameBytesMax) return `A ${type} of more than ${nameBytesMax} bytes is not supported`
  if (type !== 'ip') return undefined
  if (isIP(name) === 0) return `${name} is not a valid IP or resolvable host. Host names are not looked up here.`
  const usual = usualAddress(name)
  return usual === name ? undefined : `${name} is not how that IP address shows; write ${usual}.`
}

/** IPv6 can be written in many ways; a client's address comes in one. */
function usualAddress(address: string): string {
  if (isIP(address) === 4) return address
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  return mapped ?? new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname.slice(1, -1)
}

function changesOf(entity: QuotaEntity, ops: RequestEntryData['ops']): Outcome<Plan, KafkaFailure> {
  const [twice] = repeated(ops.map(({ key }) => key))
  if (twice !== undefined)
    return fail(invalid(`Duplicate quota key ${twice} not updating quota for this entity ${shown(entity)}`))
  const changes: QuotaChange[] = []
  for (const { key: name, value, remove } of ops) {
    const key = keyOf(entity, name)
    // As Kafka: to take away what cannot be there is no fault.
    if (key === undefined && remove) continue
    if (key === undefined) return fail(invalid(`Invalid configuration key ${name}`))
    const fault = remove ? undefined : faultOfValue(key, value)
    if (fault !== undefined) return fail(invalid(fault))
    changes.push({ entity, key, value: remove ? null : value })
  }
  return succeed({ entity, changes })
}

function keyOf(entity: QuotaEntity, name: string): QuotaKey | undefined {
  if (entity.ip !== undefined) return name === connectionRateKey ? name : undefined
  return clientQuotaKeys.find((key: ClientQuotaKey) => key === name)
}

function faultOfValue(key: QuotaKey, value: number): string | undefined {
  if (Number.isNaN(value) || value <= 0) return `Quota ${key} must be greater than 0`
  const [max, kind] = wholeMax.get(key) ?? [Number.MAX_VALUE, 'DOUBLE']
  if (value > max) return `Proposed value for ${key} is too large for ${kind === 'INT' ? 'an' : 'a'} ${kind}.`
  return kind !== 'DOUBLE' && value % 1 > fractionMax ? `${key} cannot be a fractional value.` : undefined
}
