// Owns answering AlterConfigs and IncrementalAlterConfigs (KIP-339) for topics. Does not own which configs there are and what they mean
// (broker). A broker's own configs come from its file, its environment and its flags, and are read-only here.

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { topicNameFault } from '../../model/topic-name.ts'
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
import { AlterConfigOpType, ConfigResourceType } from '../../protocol/generated/enums.ts'
import {
  type AlterableConfig,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
  incrementalAlterConfigsResponse,
  readIncrementalAlterConfigsRequest,
  writeIncrementalAlterConfigsResponse,
} from '../../protocol/generated/incremental-alter-configs.ts'
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
      const change = (resource: AlterConfigsRequest['resources'][number]): ConfigChange => {
        // All that is not named goes back to its default.
        return () => succeed(new Map(resource.configs.map(({ name, value }) => [name, value ?? ''])))
      }
      return alterConfigsResponse({ responses: await alterAll(ports, call, { ...request, change }) })
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
      const change = ({ resourceName, configs }: Resource<AlterableConfig>): ConfigChange => {
        return (own) => {
          const topic = ports.broker.topicByName(resourceName)
          const shown = topic === undefined ? [] : ports.broker.describeTopicConfigs(topic)
          return applied(own, configs, new Map(shown.map((entry) => [entry.name, entry])))
        }
      }
      return incrementalAlterConfigsResponse({ responses: await alterAll(ports, call, { ...request, change }) })
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

interface Alteration<Config> {
  readonly resources: ReadonlyArray<Resource<Config>>
  readonly validateOnly: boolean
  readonly change: (resource: Resource<Config>) => ConfigChange
}

interface NamedValue {
  readonly name: string
  readonly value: string | null
  readonly configOperation?: number
}

async function alterAll<Config extends NamedValue>(
  ports: HandlerPorts,
  call: Call,
  { resources, validateOnly, change }: Alteration<Config>,
): Promise<AlterConfigsResourceResponse[]> {
  const keyOf = ({ resourceType, resourceName }: Resource<Config>): string => `${resourceType} ${resourceName}`
  const twice = repeated(resources.map(keyOf))
  const answers = resources.map(async (resource) => {
    const failure = twice.has(keyOf(resource))
      ? { errorCode: ErrorCode.INVALID_REQUEST, message: 'Each resource must appear at most once.' }
      : await alter(ports, resource, { validateOnly, change: change(resource) })
    call.countError(failure?.errorCode ?? ErrorCode.NONE)
    return response(resource, failure)
  })
  return Promise.all(answers)
}

async function alter(
  { broker, clock, limits }: HandlerPorts,
  resource: Resource<NamedValue>,
  { validateOnly, change }: { readonly validateOnly: boolean; readonly change: ConfigChange },
): Promise<KafkaFailure | undefined> {
  const { resourceType, resourceName, configs } = resource
  const refused = refusedNames(configs)
  if (refused !== undefined) return refused
  if (resourceType !== ConfigResourceType.TOPIC) return refusedOfBroker(broker.nodeId, resource)
  const badName = topicNameFault(resourceName)
  if (badName !== undefined) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: badName }
  const topic = broker.topicByName(resourceName)
  if (topic === undefined)
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${resourceName}' does not exist.` }
  const late = (): Outcome<never, KafkaFailure> =>
    fail({ errorCode: ErrorCode.REQUEST_TIMED_OUT, message: 'the change is not in the bucket yet; it goes on' })
  const changed = broker.alterTopicConfigs(topic.id, change, validateOnly)
  const altered = await within<Outcome<undefined, KafkaFailure>>(clock, limits.metadata.changeMs, changed, late)
  return altered.ok ? undefined : altered.failure
}

/** A broker has no configs set at run time: removing one (as tools do with throttles, to be sure) has nothing to do. */
function refusedOfBroker(
  nodeId: number,
  { resourceType, resourceName, configs }: Resource<NamedValue>,
): KafkaFailure | undefined {
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })
  if (resourceType !== ConfigResourceType.BROKER) return invalid(`configs of resource type ${resourceType} cannot be altered`)
  // The empty name means the defaults of all brokers.
  if (resourceName !== '' && resourceName !== String(nodeId)) return invalid(`this is broker ${nodeId}`)
  if (configs.every(({ configOperation }) => configOperation === AlterConfigOpType.DELETE)) return undefined
  return invalid("A broker's configs are not altered at run time: set them in its file, environment or flags and restart it")
}

function refusedNames(configs: readonly NamedValue[]): KafkaFailure | undefined {
  const twice = repeated(configs.map(({ name }) => name))
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })
  if (twice.size > 0) return invalid(`Error due to duplicate config keys: ${[...twice].join(', ')}`)
  const empty = configs.filter(({ value, configOperation }) => value === null && configOperation !== AlterConfigOpType.DELETE)
  return empty.length > 0 ? invalid(`Null value not supported for: ${empty.map(({ name }) => name).join(', ')}`) : undefined
}

/** What the topic's own configs become; `known` are all that it could have, with the values in force. */
function applied(
  own: ReadonlyMap<string, string>,
  changes: readonly AlterableConfig[],
  known: ReadonlyMap<string, ConfigEntry>,
): ReturnType<ConfigChange> {
  const wanted = new Map(own)
  for (const { name, value, configOperation } of changes) {
    const entry = known.get(name)
    if (entry === undefined) return fail({ errorCode: ErrorCode.INVALID_CONFIG, message: `Unknown topic config name: ${name}` })
    switch (configOperation) {
      case AlterConfigOpType.SET:
        wanted.set(name, value ?? '')
        break
      case AlterConfigOpType.DELETE:
        wanted.delete(name)
        break
      case AlterConfigOpType.APPEND:
      case AlterConfigOpType.SUBTRACT: {
        const verb = configOperation === AlterConfigOpType.APPEND ? 'append to' : 'subtract from'
        if (entry.type !== listType)
          return fail({ errorCode: ErrorCode.INVALID_CONFIG, message: `Can't ${verb} key ${name} because its type is not LIST.` })
        const [before, named] = [wordsOf(entry.value ?? ''), wordsOf(value ?? '')]
        const after =
          configOperation === AlterConfigOpType.APPEND
            ? [...before, ...named.filter((word) => !before.includes(word))]
            : before.filter((word) => !named.includes(word))
        wanted.set(name, after.join(','))
        break
      }
      default:
        return fail({ errorCode: ErrorCode.INVALID_REQUEST, message: `Unknown operation type ${configOperation}` })
    }
  }
  return succeed(wanted)
}

const wordsOf = (list: string): string[] =>
  list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
