// Owns answering ApiVersions: what is served, and nothing else. The list comes from the registry.

import { ApiKey } from '../../protocol/index.ts'
import {
  type ApiVersion,
  apiVersion,
  type ApiVersionsRequest,
  type ApiVersionsResponse,
  apiVersionsResponse,
  finalizedFeatureKey,
  readApiVersionsRequest,
  supportedFeatureKey,
  writeApiVersionsResponse,
} from '../../protocol/generated/api-versions.ts'
import { ErrorCode } from '../../protocol/index.ts'
import { type ServedApi, serve, type WriteBody } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'

/** Client names and versions get into logs and metrics, so Kafka wants them tame. */
const softwareText = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

const ranges = (served: Iterable<ServedApi>): ApiVersion[] =>
  [...served]
    .sort((one, other) => one.entry.key - other.entry.key)
    .map(({ entry, versionMax }) => apiVersion({ apiKey: entry.key, minVersion: entry.advertisedMin, maxVersion: versionMax }))

/**
 * By Kafka's names; each at the level it says. Clients go by the finalized ones: 2 of transactions is KIP-890, 1 of groups
 * KIP-848.
 */
const featureLevels: Readonly<Record<string, number>> = { 'group.version': 1, 'transaction.version': 2 }

const features = {
  supportedFeatures: Object.entries(featureLevels).map(([name, maxVersion]) =>
    supportedFeatureKey({ name, minVersion: 0, maxVersion }),
  ),
  finalizedFeaturesEpoch: 0n,
  finalizedFeatures: Object.entries(featureLevels).map(([name, level]) =>
    finalizedFeatureKey({ name, minVersionLevel: level, maxVersionLevel: level }),
  ),
}

/** `served` is asked at each call: the registry holds this API too. */
export function apiVersionsApi(ports: HandlerPorts, served: () => Iterable<ServedApi>): ServedApi {
  return serve<ApiVersionsRequest, ApiVersionsResponse>({
    key: ApiKey.ApiVersions,
    order: 'pipelined',
    read: readApiVersionsRequest,
    write: writeApiVersionsResponse,
    handle: (request, call) => {
      if (
        call.version >= 3 &&
        !(softwareText.test(request.clientSoftwareName) && softwareText.test(request.clientSoftwareVersion))
      ) {
        return apiVersionsResponse({ errorCode: ErrorCode.INVALID_REQUEST })
      }
      const { clusterId, nodeId } = ports.broker
      const meantForAnother =
        (request.clusterId !== null && request.clusterId !== clusterId) || (request.nodeId >= 0 && request.nodeId !== nodeId)
      if (meantForAnother) return apiVersionsResponse({ errorCode: ErrorCode.REBOOTSTRAP_REQUIRED, apiKeys: ranges(served()) })
      call.connection.authentication.versionsTold()
      return apiVersionsResponse({ apiKeys: ranges(served()), ...features })
    },
    failed: (_request, errorCode) => apiVersionsResponse({ errorCode }),
  })
}

/** What a client gets that asks in a version nobody here knows: version 0, error 35, and only the range of ApiVersions itself. */
export function versionFallback(served: () => Iterable<ServedApi>): WriteBody {
  return (writer) => {
    const own = ranges(served()).filter(({ apiKey }) => apiKey === ApiKey.ApiVersions)
    writeApiVersionsResponse(writer, apiVersionsResponse({ errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: own }), 0)
  }
}
