// Owns the list of what is served. ApiVersions tells clients exactly this list, and the intake refuses everything else.

import { alterReplicaLogDirsApi } from './alter-replica-log-dirs.ts'
import type { ServedApi } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'
import { aclApis } from './acls.ts'
import { alterConfigsApi, incrementalAlterConfigsApi } from './alter-configs.ts'
import { apiVersionsApi } from './api-versions.ts'
import { clientQuotaApis } from './client-quotas.ts'
import { createPartitionsApi } from './create-partitions.ts'
import { createTopicsApi } from './create-topics.ts'
import { deleteRecordsApi } from './delete-records.ts'
import { deleteTopicsApi } from './delete-topics.ts'
import { describeClusterApi } from './describe-cluster.ts'
import { describeConfigsApi } from './describe-configs.ts'
import { describeLogDirsApi } from './describe-log-dirs.ts'
import { describeProducersApi } from './describe-producers.ts'
import { describeTopicPartitionsApi } from './describe-topic-partitions.ts'
import { electLeadersApi } from './elect-leaders.ts'
import { fetchApi } from './fetch/fetch.ts'
import type { FetchSessions } from './fetch/fetch-session.ts'
import { findCoordinatorApi } from './find-coordinator.ts'
import { groupApis } from './groups.ts'
import { initProducerIdApi } from './init-producer-id.ts'
import { listConfigResourcesApi } from './list-config-resources.ts'
import { listOffsetsApi } from './list-offsets.ts'
import { metadataApi } from './metadata.ts'
import { offsetForLeaderEpochApi } from './offset-for-leader-epoch.ts'
import { alterPartitionReassignmentsApi, listPartitionReassignmentsApi } from './partition-reassignments.ts'
import { produceApi } from './produce.ts'
import { saslApis } from './sasl.ts'
import { scramCredentialApis } from './scram-credentials.ts'
import { addOffsetsToTxnApi } from './transactions/add-offsets-to-txn.ts'
import { addPartitionsToTxnApi } from './transactions/add-partitions-to-txn.ts'
import { describeTransactionsApi, listTransactionsApi } from './transactions/describe-transactions.ts'
import { endTxnApi } from './transactions/end-txn.ts'
import { txnOffsetCommitApi } from './transactions/txn-offset-commit.ts'
import { writeTxnMarkersApi } from './transactions/write-txn-markers.ts'

export interface Registry {
  readonly apis: readonly ServedApi[]
  readonly fetchSessions: FetchSessions
}

/** `all` answers what is served, for ApiVersions; it is asked when a client asks. So are the ports. */
export function servedApis(ports: HandlerPorts, all: () => Iterable<ServedApi>): Registry {
  const fetch = fetchApi(ports)
  const apis = [
    apiVersionsApi(ports, all),
    produceApi(ports),
    fetch.api,
    listOffsetsApi(ports),
    metadataApi(ports),
    findCoordinatorApi(ports),
    ...groupApis(ports.groups),
    createTopicsApi(ports),
    deleteTopicsApi(ports),
    createPartitionsApi(ports),
    initProducerIdApi(ports),
    addPartitionsToTxnApi(ports),
    addOffsetsToTxnApi(ports),
    endTxnApi(ports),
    txnOffsetCommitApi(ports),
    writeTxnMarkersApi(ports),
    describeTransactionsApi(ports),
    listTransactionsApi(ports),
    describeConfigsApi(ports),
    describeClusterApi(ports),
    alterConfigsApi(ports),
    incrementalAlterConfigsApi(ports),
    deleteRecordsApi(ports),
    offsetForLeaderEpochApi(ports),
    describeTopicPartitionsApi(ports),
    describeProducersApi(ports),
    describeLogDirsApi(ports),
    alterReplicaLogDirsApi(ports),
    listConfigResourcesApi(ports),
    electLeadersApi(ports),
    alterPartitionReassignmentsApi(ports),
    listPartitionReassignmentsApi(),
    ...saslApis(),
    ...scramCredentialApis(ports),
    ...clientQuotaApis(ports),
    ...aclApis(ports),
  ]
  return { apis, fetchSessions: fetch.sessions }
}
