// Owns answering DescribeConfigs for topics and for this broker.

import { topicNameFault } from '../../model/topic-name.ts'
import { ApiKey, briefly, ErrorCode } from '../../protocol/index.ts'
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResource,
  type DescribeConfigsResourceResult,
  describeConfigsResourceResult,
  type DescribeConfigsResponse,
  describeConfigsResponse,
  type DescribeConfigsResult,
  describeConfigsResult,
  describeConfigsSynonym,
  readDescribeConfigsRequest,
  writeDescribeConfigsResponse,
} from '../../protocol/generated/describe-configs.ts'
import { ConfigResourceType } from '../../protocol/generated/enums.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { ConfigEntry, HandlerPorts } from '../ports.ts'

export function describeConfigsApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeConfigsRequest, DescribeConfigsResponse>({
    key: ApiKey.DescribeConfigs,
    order: 'serial',
    read: readDescribeConfigsRequest,
    write: writeDescribeConfigsResponse,
    handle: (request, call) => {
      const results = request.resources.map((resource) => describe(ports, resource, request))
      for (const { errorCode } of results) call.countError(errorCode)
      return describeConfigsResponse({ results })
    },
    failed: (request, errorCode) =>
      describeConfigsResponse({ results: request.resources.map((resource) => failed(resource, errorCode)) }),
  })
}

const failed = (
  resource: DescribeConfigsResource,
  errorCode: number,
  errorMessage: string | null = null,
): DescribeConfigsResult => {
  const { resourceType, resourceName } = resource
  return describeConfigsResult({ errorCode, errorMessage: briefly(errorMessage), resourceType, resourceName })
}

function describe(
  ports: HandlerPorts,
  resource: DescribeConfigsResource,
  request: DescribeConfigsRequest,
): DescribeConfigsResult {
  const { resourceType, resourceName, configurationKeys } = resource
  const found = entriesOf(ports, resource)
  if ('errorCode' in found) return failed(resource, found.errorCode, found.message)
  const wanted = configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys)
  const configs = found.entries.filter(({ name }) => wanted?.has(name) ?? true).map((entry) => shown(entry, request))
  return describeConfigsResult({ resourceType, resourceName, configs })
}

type Found = { readonly entries: readonly ConfigEntry[] } | { readonly errorCode: number; readonly message: string }

function entriesOf(ports: HandlerPorts, { resourceType, resourceName }: DescribeConfigsResource): Found {
  const { broker } = ports
  switch (resourceType) {
    case ConfigResourceType.TOPIC: {
      if (topicNameFault(resourceName) !== undefined)
        return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: 'not a topic name' }
      const topic = broker.topicByName(resourceName)
      if (topic === undefined)
        return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `there is no topic ${resourceName}` }
      return { entries: broker.describeTopicConfigs(topic) }
    }
    case ConfigResourceType.BROKER:
      // The empty name means the cluster-wide dynamic defaults, of which there are none.
      if (resourceName === '') return { entries: [] }
      if (resourceName === String(broker.nodeId)) return { entries: broker.describeBrokerConfigs() }
      return { errorCode: ErrorCode.INVALID_REQUEST, message: `this is broker ${String(broker.nodeId)}` }
    default:
      return { errorCode: ErrorCode.INVALID_REQUEST, message: `configs of resource type ${resourceType} are not served` }
  }
}

function shown(entry: ConfigEntry, request: DescribeConfigsRequest): DescribeConfigsResourceResult {
  const visible = (value: string | null): string | null => (entry.sensitive ? null : value)
  return describeConfigsResourceResult({
    name: entry.name,
    value: visible(entry.value),
    readOnly: entry.readOnly,
    configSource: entry.source,
    isSensitive: entry.sensitive,
    synonyms: request.includeSynonyms
      ? entry.synonyms.map(({ name, value, source }) => describeConfigsSynonym({ name, value: visible(value), source }))
      : [],
    configType: entry.type,
    documentation: request.includeDocumentation ? entry.documentation : null,
  })
}
