// Owns answering FindCoordinator. One node coordinates everything so far, so it is this one.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import { CoordinatorType } from '../../protocol/generated/enums.ts'
import {
  type Coordinator,
  coordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  findCoordinatorResponse,
  readFindCoordinatorRequest,
  writeFindCoordinatorResponse,
} from '../../protocol/generated/find-coordinator.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { Endpoint } from '../listener/endpoint.ts'
import type { HandlerPorts } from '../ports.ts'

const batchedFrom = 4

export function findCoordinatorApi(ports: HandlerPorts): ServedApi {
  return serve<FindCoordinatorRequest, FindCoordinatorResponse>({
    key: ApiKey.FindCoordinator,
    order: 'pipelined',
    read: readFindCoordinatorRequest,
    write: writeFindCoordinatorResponse,
    handle: (request, call) => {
      const keys = call.version >= batchedFrom ? request.coordinatorKeys : [request.key]
      const found = keys.map((key) => find(ports, call.connection.endpoint, { keyType: request.keyType, key }))
      for (const { errorCode } of found) call.countError(errorCode)
      return answer(found, call.version)
    },
    failed: (request, errorCode, { version }) => {
      const keys = version >= batchedFrom ? request.coordinatorKeys : [request.key]
      return answer(keys.map((key) => none(key, errorCode)), version) // prettier-ignore
    },
  })
}

const none = (key: string, errorCode: number, errorMessage = ''): Coordinator =>
  coordinator({ key, nodeId: -1, host: '', port: -1, errorCode, errorMessage })

function find(
  ports: HandlerPorts,
  endpoint: Endpoint,
  { keyType, key }: { readonly keyType: number; readonly key: string },
): Coordinator {
  if (keyType !== CoordinatorType.GROUP && keyType !== CoordinatorType.TRANSACTION) {
    return none(key, ErrorCode.INVALID_REQUEST, `coordinators of type ${keyType} are not served`)
  }
  if (!ports.broker.serving) return none(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, 'the broker is starting or stopping')
  const { host, port } = endpoint.advertised()
  return coordinator({ key, nodeId: ports.broker.nodeId, host, port, errorMessage: '' })
}

function answer(found: readonly Coordinator[], version: number): FindCoordinatorResponse {
  if (version >= batchedFrom) return findCoordinatorResponse({ coordinators: found })
  const { nodeId, host, port, errorCode, errorMessage } = found[0]!
  return findCoordinatorResponse({ nodeId, host, port, errorCode, errorMessage: version >= 1 ? errorMessage : '' })
}
