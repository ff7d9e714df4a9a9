// Owns answering DescribeConfigs. Which resources there are and what they show: configs/.

import { ApiKey, briefly } from '../../protocol/index.ts'
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
import { configResourceOf } from '../configs/config-resources.ts'
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
  const found = configResourceOf(ports, resourceType, resourceName)
  if (!found.ok) return failed(resource, found.failure.errorCode, found.failure.message)
  const wanted = configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys)
  const configs = found.value
    .entries()
    .filter(({ name }) => wanted?.has(name) ?? true)
    .map((entry) => shown(entry, request))
  return describeConfigsResult({ resourceType, resourceName, configs })
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
