// Owns what the APIs of transactions demand, as Kafka's KafkaApis does. Not how a demand is decided.

import { ErrorCode } from '../../protocol/index.ts'
import {
  addPartitionsToTxnPartitionResult,
  addPartitionsToTxnResponse,
  addPartitionsToTxnTopicResult,
} from '../../protocol/generated/add-partitions-to-txn.ts'
import { transactionState } from '../../protocol/generated/describe-transactions.ts'
import { AclOperation } from '../../protocol/generated/enums.ts'
import { txnOffsetCommitResponsePartition, txnOffsetCommitResponseTopic } from '../../protocol/generated/txn-offset-commit.ts'
import { type Asked, type Guards, pass, refuse, splitBy, type Verdict } from './guard.ts'
import { mayByNameOrId } from './topic-guards.ts'

const { ALTER, CLUSTER_ACTION, DESCRIBE, READ, WRITE } = AclOperation
const deniedCluster = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
const deniedGroup = ErrorCode.GROUP_AUTHORIZATION_FAILED
const deniedTopic = ErrorCode.TOPIC_AUTHORIZATION_FAILED
const deniedTransaction = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
/** From here on AddPartitionsToTxn is what brokers send each other. */
const ofBrokersFrom = 4

const refused = <Request, Response>(asked: Asked<Request, Response>, errorCode: number): Verdict<Request, Response> =>
  refuse(asked.failed(asked.request, errorCode), errorCode)

type AddAsked = Parameters<NonNullable<Guards['AddPartitionsToTxn']>>[0]

function addByClient(asked: AddAsked): ReturnType<NonNullable<Guards['AddPartitionsToTxn']>> {
  const { request, access } = asked
  if (!access.transaction(WRITE, request.v3AndBelowTransactionalId)) return refused(asked, deniedTransaction)
  const topics = request.v3AndBelowTopics
  const isAllowed = ({ name }: { readonly name: string }): boolean => access.topic(WRITE, name)
  if (topics.every(isAllowed)) return pass
  // As Kafka: all or nothing.
  const resultsByTopicV3AndBelow = topics.map((topic) =>
    addPartitionsToTxnTopicResult({
      name: topic.name,
      resultsByPartition: topic.partitions.map((partitionIndex) =>
        addPartitionsToTxnPartitionResult({
          partitionIndex,
          partitionErrorCode: isAllowed(topic) ? ErrorCode.OPERATION_NOT_ATTEMPTED : deniedTopic,
        }),
      ),
    }),
  )
  return refuse(addPartitionsToTxnResponse({ resultsByTopicV3AndBelow }), deniedTopic)
}

export const transactionGuards: Guards = {
  AddPartitionsToTxn: (asked) => {
    if (asked.call.version < ofBrokersFrom) return addByClient(asked)
    return asked.access.cluster(CLUSTER_ACTION) ? pass : refused(asked, deniedCluster)
  },
  AddOffsetsToTxn: (asked) => {
    const { request, access } = asked
    if (!access.transaction(WRITE, request.transactionalId)) return refused(asked, deniedTransaction)
    return access.group(READ, request.groupId) ? pass : refused(asked, deniedGroup)
  },
  EndTxn: (asked) => (asked.access.transaction(WRITE, asked.request.transactionalId) ? pass : refused(asked, deniedTransaction)),
  TxnOffsetCommit: (asked) => {
    const { request, access } = asked
    if (!access.transaction(WRITE, request.transactionalId)) return refused(asked, deniedTransaction)
    if (!access.group(READ, request.groupId)) return refused(asked, deniedGroup)
    return splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: (topic) => mayByNameOrId(access, READ, topic),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: deniedTopic,
      refused: (topics) => ({
        throttleTimeMs: 0,
        topics: topics.map(({ name, topicId, partitions }) =>
          txnOffsetCommitResponseTopic({
            name,
            topicId,
            partitions: partitions.map(({ partitionIndex }) =>
              txnOffsetCommitResponsePartition({ partitionIndex, errorCode: deniedTopic }),
            ),
          }),
        ),
      }),
      merge: (response, others) => ({ ...response, topics: [...response.topics, ...others.topics] }),
    })
  },
  WriteTxnMarkers: (asked) =>
    asked.access.cluster(ALTER) || asked.access.cluster(CLUSTER_ACTION) ? pass : refused(asked, deniedCluster),
  DescribeTransactions: (asked) => {
    const { request, access } = asked
    const isAllowed = (id: string): boolean => access.transaction(DESCRIBE, id)
    const hidden = request.transactionalIds.filter((id) => !isAllowed(id))
    return {
      kind: 'part',
      request: { ...request, transactionalIds: request.transactionalIds.filter(isAllowed) },
      errorCode: hidden.length === 0 ? ErrorCode.NONE : deniedTransaction,
      complete: (response) => ({
        ...response,
        transactionStates: [
          ...response.transactionStates.map((state) => ({
            ...state,
            topics: state.topics.filter(({ topic }) => access.topic(DESCRIBE, topic)),
          })),
          ...hidden.map((transactionalId) => transactionState({ transactionalId, errorCode: deniedTransaction })),
        ],
      }),
    }
  },
  ListTransactions: ({ request, access }) => ({
    kind: 'part',
    request,
    errorCode: ErrorCode.NONE,
    complete: (response) => ({
      ...response,
      transactionStates: response.transactionStates.filter(({ transactionalId }) =>
        access.transaction(DESCRIBE, transactionalId),
      ),
    }),
  }),
}
