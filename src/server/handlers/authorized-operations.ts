// Owns what "authorized operations" are while ACLs are not asked: all that the kind of resource supports, as a bit field. While they
// are, the guards answer instead.

import { aclSupportedOperations, MetadataResponseConstant } from '../../protocol/generated/enums.ts'

const bitField = (operations: readonly number[]): number => operations.reduce((bits, operation) => bits | (1 << operation), 0)

export const topicOperations: number = bitField(aclSupportedOperations.TOPIC)
export const groupOperations: number = bitField(aclSupportedOperations.GROUP)
export const clusterOperations: number = bitField(aclSupportedOperations.CLUSTER)
export const operationsOmitted: number = MetadataResponseConstant.AUTHORIZED_OPERATIONS_OMITTED
