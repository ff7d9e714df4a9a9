// Owns what the APIs of the cluster, its configs, users and ACLs demand, as Kafka's KafkaApis and ControllerApis do; and the list of all
// guards. Not how a demand is decided.

import { ErrorCode } from '../../protocol/index.ts'
import { AclOperation, ConfigResourceType } from '../../protocol/generated/enums.ts'
import { type Access, clusterName } from './access.ts'
import { consumerGroupGuards } from './consumer-group-guards.ts'
import { groupGuards } from './group-guards.ts'
import { type Asked, type Guards, pass, refuse, type Verdict } from './guard.ts'
import { topicGuards } from './topic-guards.ts'
import { transactionGuards } from './transaction-guards.ts'

const { ALTER, ALTER_CONFIGS, DESCRIBE, DESCRIBE_CONFIGS } = AclOperation
const denied = ErrorCode.CLUSTER_AUTHORIZATION_FAILED

function ofCluster<Request, Response>(asked: Asked<Request, Response>, operation: number): Verdict<Request, Response> {
  return asked.access.cluster(operation) ? pass : refuse(asked.failed(asked.request, denied), denied)
}

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

const mayConfigure = (access: Access, operation: number, { resourceType, resourceName }: Resource): boolean => {
  if (resourceType === ConfigResourceType.TOPIC) return access.topic(operation, resourceName)
  if (resourceType === ConfigResourceType.GROUP) return access.group(operation, resourceName)
  return access.cluster(operation)
}

const deniedFor = ({ resourceType }: Resource): number => {
  if (resourceType === ConfigResourceType.TOPIC) return ErrorCode.TOPIC_AUTHORIZATION_FAILED
  return resourceType === ConfigResourceType.GROUP ? ErrorCode.GROUP_AUTHORIZATION_FAILED : denied
}

/** Of the three APIs of configs: each resource is refused with the error of its kind. */
function ofConfigs<Request extends { readonly resources: readonly Item[] }, Response, Item extends Resource>(
  asked: Asked<Request, Response>,
  operation: number,
  merge: (response: Response, refused: Response) => Response,
): Verdict<Request, Response> {
  const { request, access } = asked
  const refused = request.resources.filter((resource) => !mayConfigure(access, operation, resource))
  if (refused.length === 0) return pass
  const answers = refused.map((resource) => asked.failed({ ...request, resources: [resource] }, deniedFor(resource)))
  return {
    kind: 'part',
    request: { ...request, resources: request.resources.filter((resource) => !refused.includes(resource)) },
    errorCode: deniedFor(refused[0]!),
    complete: (response) => answers.reduce(merge, response),
  }
}

const omitted = -2_147_483_648

const clusterGuards: Guards = {
  // Who one is has to be said, and what can be asked be known, before anything else.
  ApiVersions: () => pass,
  SaslHandshake: () => pass,
  SaslAuthenticate: () => pass,
  DescribeCluster: ({ request, access }) => ({
    kind: 'part',
    request,
    errorCode: ErrorCode.NONE,
    complete: (response) => ({
      ...response,
      clusterAuthorizedOperations:
        response.clusterAuthorizedOperations === omitted ? omitted : access.operations('CLUSTER', clusterName),
    }),
  }),
  DescribeLogDirs: (asked) => ofCluster(asked, DESCRIBE),
  AlterReplicaLogDirs: (asked) => ofCluster(asked, ALTER),
  ElectLeaders: (asked) => ofCluster(asked, ALTER),
  AlterPartitionReassignments: (asked) => ofCluster(asked, ALTER),
  ListPartitionReassignments: (asked) => ofCluster(asked, DESCRIBE),
  ListConfigResources: (asked) => ofCluster(asked, DESCRIBE_CONFIGS),
  DescribeClientQuotas: (asked) => ofCluster(asked, DESCRIBE_CONFIGS),
  AlterClientQuotas: (asked) => ofCluster(asked, ALTER_CONFIGS),
  DescribeUserScramCredentials: (asked) => ofCluster(asked, DESCRIBE),
  AlterUserScramCredentials: (asked) => ofCluster(asked, ALTER),
  DescribeAcls: (asked) => ofCluster(asked, DESCRIBE),
  CreateAcls: (asked) => ofCluster(asked, ALTER),
  DeleteAcls: (asked) => ofCluster(asked, ALTER),
  DescribeConfigs: (asked) =>
    ofConfigs(asked, DESCRIBE_CONFIGS, (response, refused) => ({
      ...response,
      results: [...response.results, ...refused.results],
    })),
  AlterConfigs: (asked) =>
    ofConfigs(asked, ALTER_CONFIGS, (response, refused) => ({
      ...response,
      responses: [...response.responses, ...refused.responses],
    })),
  IncrementalAlterConfigs: (asked) =>
    ofConfigs(asked, ALTER_CONFIGS, (response, refused) => ({
      ...response,
      responses: [...response.responses, ...refused.responses],
    })),
}

/** By API. One that is served and stands not here is refused while ACLs are asked; a test asserts that there is none. */
export const guards: Guards = {
  ...topicGuards,
  ...groupGuards,
  ...consumerGroupGuards,
  ...transactionGuards,
  ...clusterGuards,
}
