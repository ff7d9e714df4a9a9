// Owns answering DescribeCluster: id, controller, brokers.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  describeClusterBroker,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
  describeClusterResponse,
  readDescribeClusterRequest,
  writeDescribeClusterResponse,
} from '../../protocol/generated/describe-cluster.ts'
import { EndpointType } from '../../protocol/generated/enums.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'
import { clusterOperations, operationsOmitted } from './authorized-operations.ts'

export function describeClusterApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeClusterRequest, DescribeClusterResponse>({
    key: ApiKey.DescribeCluster,
    order: 'serial',
    read: readDescribeClusterRequest,
    write: writeDescribeClusterResponse,
    handle: (request, call) => {
      const { endpointType } = request
      if (endpointType !== EndpointType.BROKER) {
        const errorCode =
          endpointType === EndpointType.CONTROLLER ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE
        call.countError(errorCode)
        return describeClusterResponse({ errorCode, errorMessage: 'this listener describes brokers' })
      }
      const { broker, settings } = ports
      const { host, port } = call.connection.endpoint.advertised()
      return describeClusterResponse({
        clusterId: broker.clusterId,
        controllerId: broker.nodeId,
        brokers: [describeClusterBroker({ brokerId: broker.nodeId, host, port, rack: settings.rack })],
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsOmitted,
      })
    },
    failed: (_request, errorCode) => describeClusterResponse({ errorCode }),
  })
}
