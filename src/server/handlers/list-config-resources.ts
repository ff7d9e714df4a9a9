// Owns answering ListConfigResources (KIP-1142): which topics, brokers, groups and client metrics have configs.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import { ConfigResourceType } from '../../protocol/generated/enums.ts'
import {
  type ConfigResource,
  configResource,
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponse,
  listConfigResourcesResponse,
  readListConfigResourcesRequest,
  writeListConfigResourcesResponse,
} from '../../protocol/generated/list-config-resources.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'

/** Before version 1 the request names no types and means client metrics alone. */
const typesFrom = 1
const allTypes: readonly number[] = [
  ConfigResourceType.TOPIC,
  ConfigResourceType.BROKER,
  ConfigResourceType.BROKER_LOGGER,
  ConfigResourceType.CLIENT_METRICS,
  ConfigResourceType.GROUP,
]

export function listConfigResourcesApi(ports: HandlerPorts): ServedApi {
  return serve<ListConfigResourcesRequest, ListConfigResourcesResponse>({
    key: ApiKey.ListConfigResources,
    order: 'pipelined',
    read: readListConfigResourcesRequest,
    write: writeListConfigResourcesResponse,
    handle: (request, call) => {
      const asked = call.version < typesFrom ? [ConfigResourceType.CLIENT_METRICS] : request.resourceTypes
      const types = asked.length === 0 ? allTypes : [...new Set(asked)]
      if (types.some((type) => !allTypes.includes(type))) {
        call.countError(ErrorCode.UNSUPPORTED_VERSION)
        return listConfigResourcesResponse({ errorCode: ErrorCode.UNSUPPORTED_VERSION })
      }
      return listConfigResourcesResponse({ configResources: types.flatMap((type) => resourcesOf(ports, type)) })
    },
    failed: (_request, errorCode) => listConfigResourcesResponse({ errorCode }),
  })
}

const named = (resourceType: number, names: Iterable<string>): ConfigResource[] =>
  [...names].map((resourceName) => configResource({ resourceType, resourceName }))

function resourcesOf({ broker }: HandlerPorts, resourceType: number): ConfigResource[] {
  switch (resourceType) {
    case ConfigResourceType.TOPIC:
      return named(
        resourceType,
        [...broker.topics()].map(({ name }) => name),
      )
    case ConfigResourceType.BROKER:
    case ConfigResourceType.BROKER_LOGGER:
      return [configResource({ resourceType, resourceName: String(broker.nodeId) })]
    case ConfigResourceType.CLIENT_METRICS:
      return named(resourceType, broker.configs.names('client-metrics'))
    case ConfigResourceType.GROUP:
      return named(resourceType, broker.configs.names('group'))
    default:
      return []
  }
}
