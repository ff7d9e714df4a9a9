// Owns answering AlterConfigs and IncrementalAlterConfigs (KIP-339). Which resources and configs there are: configs/.

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { ApiKey, briefly, ErrorCode } from '../../protocol/index.ts'
import {
  type AlterConfigsRequest,
  type AlterConfigsResourceResponse,
  alterConfigsResourceResponse,
  type AlterConfigsResponse,
  alterConfigsResponse,
  readAlterConfigsRequest,
  writeAlterConfigsResponse,
} from '../../protocol/generated/alter-configs.ts'
import { AlterConfigOpType } from '../../protocol/generated/enums.ts'
import {
  type AlterableConfig,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
  incrementalAlterConfigsResponse,
  readIncrementalAlterConfigsRequest,
  writeIncrementalAlterConfigsResponse,
} from '../../protocol/generated/incremental-alter-configs.ts'
import { type ConfigResource, configResourceOf, type Operation } from '../configs/config-resources.ts'
import type { Call } from '../front/call.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { ConfigChange, ConfigEntry, HandlerPorts, KafkaFailure } from '../ports.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

/** Kafka's ConfigType code of lists, which alone can be appended to. */
const listType = 7

interface Resource<Config> {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly Config[]
}

export function alterConfigsApi(ports: HandlerPorts): ServedApi {
  return serve<AlterConfigsRequest, AlterConfigsResponse>({
    key: ApiKey.AlterConfigs,
    order: 'serial',
    read: readAlterConfigsRequest,
    write: writeAlterConfigsResponse,
    handle: async (request, call) => {
      // All that is not named goes back to its default.
      const change: ChangeOf<AlterConfigsRequest['resources'][number]['configs'][number]> = (resource) => () =>
        succeed(new Map(resource.configs.map(({ name, value }) => [name, value ?? ''])))
      return alterConfigsResponse({ responses: await alterAll(ports, call, { ...request, change, isIncremental: false }) })
    },
    failed: (request, errorCode) =>
      alterConfigsResponse({ responses: request.resources.map((resource) => response(resource, { errorCode, message: null })) }),
  })
}

export function incrementalAlterConfigsApi(ports: HandlerPorts): ServedApi {
  return serve<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>({
    key: ApiKey.IncrementalAlterConfigs,
    order: 'serial',
    read: readIncrementalAlterConfigsRequest,
    write: writeIncrementalAlterConfigsResponse,
    handle: async (request, call) => {
      const change: ChangeOf<AlterableConfig> =
        ({ configs }, found) =>
        (own) =>
          applied(own, configs, found)
      return incrementalAlterConfigsResponse({
        responses: await alterAll(ports, call, { ...request, change, isIncremental: true }),
      })
    },
    failed: (request, errorCode) =>
      incrementalAlterConfigsResponse({
        responses: request.resources.map((resource) => response(resource, { errorCode, message: null })),
      }),
  })
}

const response = (
  { resourceType, resourceName }: Resource<unknown>,
  failure: KafkaFailure | undefined,
): AlterConfigsResourceResponse =>
  alterConfigsResourceResponse({
    resourceType,
    resourceName,
    errorCode: failure?.errorCode ?? ErrorCode.NONE,
    errorMessage: briefly(failure?.message ?? null),
  })

type ChangeOf<Config> = (resource: Resource<Config>, found: ConfigResource) => ConfigChange

interface Alteration<Config> {
  readonly resources: ReadonlyArray<Resource<Config>>
  readonly validateOnly: boolean
  readonly change: ChangeOf<Config>
  readonly isIncremental: boolean
}

interface NamedValue {
  readonly name: string
  readonly value: string | null
  readonly configOperation?: number
}

async function alterAll<Config extends NamedValue>(
  ports: HandlerPorts,
  call: Call,
  alteration: Alteration<Config>,
): Promise<AlterConfigsResourceResponse[]> {
  const { resources } = alteration
  const keyOf = ({ resourceType, resourceName }: Resource<Config>): string => `${resourceType} ${resourceName}`
  const twice = repeated(resources.map(keyOf))
  const answers = resources.map(async (resource) => {
    const failure = twice.has(keyOf(resource))
      ? { errorCode: ErrorCode.INVALID_REQUEST, message: 'Each resource must appear at most once.' }
      : await alter(ports, resource, alteration)
    call.countError(failure?.errorCode ?? ErrorCode.NONE)
    return response(resource, failure)
  })
  return Promise.all(answers)
}

async function alter<Config extends NamedValue>(
  ports: HandlerPorts,
  resource: Resource<Config>,
  { validateOnly, change, isIncremental }: Alteration<Config>,
): Promise<KafkaFailure | undefined> {
  const { resourceType, resourceName, configs } = resource
  const refused = refusedNames(configs)
  if (refused !== undefined) return refused
  const found = configResourceOf(ports, resourceType, resourceName)
  if (!found.ok) return found.failure
  if (found.value.onlyIncremental === true && !isIncremental)
    return { errorCode: ErrorCode.INVALID_REQUEST, message: `Unknown resource type ${resourceType}` }
  const { clock, limits } = ports
  const late = (): Outcome<never, KafkaFailure> =>
    fail({ errorCode: ErrorCode.REQUEST_TIMED_OUT, message: 'the change is not in the bucket yet; it goes on' })
  const changed = found.value.alter(change(resource, found.value), validateOnly)
  const altered = await within<Outcome<undefined, KafkaFailure>>(clock, limits.metadata.changeMs, changed, late)
  return altered.ok ? undefined : altered.failure
}

function refusedNames(configs: readonly NamedValue[]): KafkaFailure | undefined {
  const twice = repeated(configs.map(({ name }) => name))
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })
  if (twice.size > 0) return invalid(`Error due to duplicate config keys: ${[...twice].join(', ')}`)
  const empty = configs.filter(({ value, configOperation }) => value === null && configOperation !== AlterConfigOpType.DELETE)
  return empty.length > 0 ? invalid(`Null value not supported for: ${empty.map(({ name }) => name).join(', ')}`) : undefined
}

/** What the resource's own configs become. */
function applied(
  own: ReadonlyMap<string, string>,
  changes: readonly AlterableConfig[],
  found: ConfigResource,
): ReturnType<ConfigChange> {
  const known = new Map((found.alterable?.() ?? found.entries()).map((entry) => [entry.name, entry]))
  const wanted = new Map(own)
  for (const { name, value, configOperation } of changes) {
    const operation = operations.get(configOperation)
    if (operation === undefined)
      return fail({ errorCode: ErrorCode.INVALID_REQUEST, message: `Unknown operation type ${configOperation}` })
    const entry = known.get(name)
    const refusal =
      found.refusalOfOperation?.(operation, name) ?? (entry === undefined ? found.refusalOfUnknown?.(name) : undefined)
    if (refusal !== undefined) return fail(refusal)
    if (operation === 'SET') wanted.set(name, value ?? '')
    else if (operation === 'DELETE') wanted.delete(name)
    else {
      const list = listOf(entry, { name, value: value ?? '', operation })
      if (!list.ok) return list
      wanted.set(name, list.value)
    }
  }
  return succeed(wanted)
}

const operations: ReadonlyMap<number, Operation> = new Map(
  Object.entries(AlterConfigOpType).map(([operation, code]) => [code, operation as Operation]),
)

function listOf(
  entry: ConfigEntry | undefined,
  { name, value, operation }: { readonly name: string; readonly value: string; readonly operation: 'APPEND' | 'SUBTRACT' },
): Outcome<string, KafkaFailure> {
  if (entry?.type !== listType) {
    const verb = operation === 'APPEND' ? 'append to' : 'subtract from'
    return fail({ errorCode: ErrorCode.INVALID_CONFIG, message: `Can't ${verb} key ${name} because its type is not LIST.` })
  }
  const [before, named] = [wordsOf(entry.value ?? ''), wordsOf(value)]
  const after =
    operation === 'APPEND'
      ? [...before, ...named.filter((word) => !before.includes(word))]
      : before.filter((word) => !named.includes(word))
  return succeed(after.join(','))
}

const wordsOf = (list: string): string[] =>
  list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
