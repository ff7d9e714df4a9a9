// Owns answering DeleteTopics, by name or by id.

import { topicId as asTopicId } from '../../model/ids.ts'
import { ApiKey, briefly, ErrorCode, zeroUuid } from '../../protocol/index.ts'
import {
  type DeletableTopicResult,
  deletableTopicResult,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  deleteTopicsResponse,
  type DeleteTopicState,
  deleteTopicState,
  readDeleteTopicsRequest,
  writeDeleteTopicsResponse,
} from '../../protocol/generated/delete-topics.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'
import { mutationRefused } from './mutation-refused.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

/** Names or ids in one list; before, a list of names. */
const statesFrom = 6
/** Before it, no version knows THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const strictFrom = 5

const failed = (
  { name, topicId }: DeleteTopicState,
  errorCode: number,
  errorMessage: string | null = null,
): DeletableTopicResult => deletableTopicResult({ name, topicId, errorCode, errorMessage: briefly(errorMessage) })

const wantedOf = (request: DeleteTopicsRequest, version: number): readonly DeleteTopicState[] =>
  version >= statesFrom ? request.topics : request.topicNames.map((name) => deleteTopicState({ name }))

export function deleteTopicsApi(ports: HandlerPorts): ServedApi {
  return serve<DeleteTopicsRequest, DeleteTopicsResponse>({
    key: ApiKey.DeleteTopics,
    order: 'serial',
    read: readDeleteTopicsRequest,
    write: writeDeleteTopicsResponse,
    handle: async (request, call) => {
      const wanted = wantedOf(request, call.version)
      const quota = ports.throttles.mutations(call, strictFrom)
      const topicOf = ({ name, topicId }: DeleteTopicState): TopicView | undefined =>
        name === null ? ports.broker.topicById(asTopicId(topicId)) : ports.broker.topicByName(name)
      // By id where there is one, so that a name and an id of the same topic count as two as well.
      const keyOf = (state: DeleteTopicState): string => topicOf(state)?.id ?? state.name ?? state.topicId
      const twice = repeated(wanted.map(keyOf))
      const results = wanted.map((state): DeletableTopicResult | Promise<DeletableTopicResult> => {
        const { name, topicId } = state
        if (twice.has(keyOf(state)))
          return failed(state, ErrorCode.INVALID_REQUEST, 'the request names this topic more than once')
        if ((name === null) === (topicId === zeroUuid))
          return failed(state, ErrorCode.INVALID_REQUEST, 'give a name or an id, not both')
        const topic = topicOf(state)
        if (topic === undefined)
          return failed(state, name === null ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        if (!quota.admit(topic.partitions.length)) return failed(state, mutationRefused.errorCode, mutationRefused.message)
        return within(ports.clock, request.timeoutMs, remove(ports, topic, call.version), () =>
          failed(state, ErrorCode.REQUEST_TIMED_OUT),
        )
      })
      const responses = await Promise.all(results)
      for (const { errorCode } of responses) call.countError(errorCode)
      return deleteTopicsResponse({ responses })
    },
    failed: (request, errorCode, { version }) =>
      deleteTopicsResponse({ responses: wantedOf(request, version).map((state) => failed(state, errorCode)) }),
  })
}

async function remove(ports: HandlerPorts, topic: TopicView, version: number): Promise<DeletableTopicResult> {
  const deleted = await ports.broker.deleteTopic(topic.id)
  const state = deleteTopicState({ name: topic.name, topicId: version >= statesFrom ? topic.id : zeroUuid })
  return deleted.ok ? failed(state, ErrorCode.NONE) : failed(state, deleted.failure.errorCode, deleted.failure.message)
}
