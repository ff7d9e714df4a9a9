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
const deniedTransaction = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
const deniedGroup = ErrorCode.GROUP_AUTHORIZATION_FAILED
const deniedTopic = ErrorCode.TOPIC_AUTHORIZATION_FAILED
const deniedCluster = ErrorCode.CLUSTER_AUTHORIZATION_FAILED

/** From here on AddPartitionsToTxn is a request of brokers. */
const betweenBrokersFrom = 4

/** The first demand that is not met refuses the whole. */
function whole<Request, Response>(
  asked: Asked<Request, Response>,
  ...demands: ReadonlyArray<readonly [isMet: boolean, errorCode: number]>
): Verdict<Request, Response> {
  const unmet = demands.find(([isMet]) => !isMet)
  return unmet === undefined ? pass : refuse(asked.failed(asked.request, unmet[1]), unmet[1])
}

export const transactionGuards: Guards = {
  AddPartitionsToTxn: (asked) => {
    const { request, call, access } = asked
    if (call.version >= betweenBrokersFrom) return whole(asked, [access.cluster(CLUSTER_ACTION), deniedCluster])
    const id = request.v3AndBelowTransactionalId
    if (!access.transaction(WRITE, id)) return refuse(asked.failed(request, deniedTransaction), deniedTransaction)
    const isAllowed = ({ name }: { readonly name: string }): boolean => access.topic(WRITE, name)
    if (request.v3AndBelowTopics.every(isAllowed)) return pass
    // All or none are added: those that would be allowed are told that nothing was tried.
    const resultsByTopicV3AndBelow = request.v3AndBelowTopics.map((topic) => {
      const partitionErrorCode = isAllowed(topic) ? ErrorCode.OPERATION_NOT_ATTEMPTED : deniedTopic
      return addPartitionsToTxnTopicResult({
        name: topic.name,
        resultsByPartition: topic.partitions.map((partitionIndex) =>
          addPartitionsToTxnPartitionResult({ partitionIndex, partitionErrorCode }),
        ),
      })
    })
    return refuse(addPartitionsToTxnResponse({ resultsByTopicV3AndBelow }), deniedTopic)
  },
  AddOffsetsToTxn: (asked) => {
    const { request, access } = asked
    return whole(
      asked,
      [access.transaction(WRITE, request.transactionalId), deniedTransaction],
      [access.group(READ, request.groupId), deniedGroup],
    )
  },
  EndTxn: (asked) => whole(asked, [asked.access.transaction(WRITE, asked.request.transactionalId), deniedTransaction]),
  TxnOffsetCommit: (asked) => {
    const { request, access } = asked
    const verdict = whole(
      asked,
      [access.transaction(WRITE, request.transactionalId), deniedTransaction],
      [access.group(READ, request.groupId), deniedGroup],
    )
    if (verdict.kind !== 'pass') return verdict
    return splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: (topic) => mayByNameOrId(access, READ, topic),
      withItems: (all, topics) => ({ ...all, topics }),
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
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    })
  },
  WriteTxnMarkers: (asked) => whole(asked, [asked.access.cluster(CLUSTER_ACTION) || asked.access.cluster(ALTER), deniedCluster]),
  DescribeTransactions: (asked) => {
    const { request, access } = asked
    const isAllowed = (id: string): boolean => access.transaction(DESCRIBE, id)
    const refused = request.transactionalIds.filter((id) => !isAllowed(id))
    return {
      kind: 'part',
      request: { ...request, transactionalIds: request.transactionalIds.filter(isAllowed) },
      errorCode: refused.length === 0 ? ErrorCode.NONE : deniedTransaction,
      complete: (response) => ({
        ...response,
        transactionStates: [
          ...response.transactionStates.map((state) => ({
            ...state,
            topics: state.topics.filter(({ topic }) => access.topic(DESCRIBE, topic)),
          })),
          ...refused.map((transactionalId) => transactionState({ transactionalId, errorCode: deniedTransaction })),
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
