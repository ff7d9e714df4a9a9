/** Owns sending the cases to a broker and telling its answers in one line each. */
import snappy from 'snappy'
import { loadBatchCompression } from '../../../src/base/node/compression.ts'
import { createTopicsRequest, creatableTopic, creatableTopicConfig } from '../../../src/protocol/generated/create-topics.ts'
import { deleteTopicsRequest } from '../../../src/protocol/generated/delete-topics.ts'
import { ErrorCode, errorName } from '../../../src/protocol/index.ts'
import { partitionProduceData, produceRequest, topicProduceData } from '../../../src/protocol/generated/produce.ts'
import { RawClient } from '../../contract/server/support/raw-client.ts'
import { freshName } from '../broker-under-test.ts'
import { type ProduceCase, produceCases, type TopicKind, topicKinds } from './cases.ts'

const topicName = (kind: TopicKind, prefix: string): string => `${prefix}-${kind.replaceAll(' ', '-')}`

async function makeTopics(bootstrap: string, prefix: string): Promise<void> {
  const client = await RawClient.connect(Number(bootstrap.split(':')[1]))
  const { topics } = await client.ask(
    'CreateTopics',
    5,
    createTopicsRequest({
      timeoutMs: 30_000,
      topics: (Object.keys(topicKinds) as TopicKind[]).map((kind) =>
        creatableTopic({
          name: topicName(kind, prefix),
          numPartitions: 1,
          replicationFactor: 1,
          configs: Object.entries(topicKinds[kind]).map(([name, value]) => creatableTopicConfig({ name, value })),
        }),
      ),
    }),
  )
  client.close()
  const failed = topics.find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) throw new Error(`${failed.name}: ${errorName(failed.errorCode)} ${failed.errorMessage ?? ''}`)
}

/**
 * `NONE`, or the error's name and the records it is about; `closed` when the broker hangs up. An asterisk behind it: the answer is not
 * empty where it should be, or the other way round.
 */
async function answersOf(bootstrap: string, prefix: string, cases: readonly ProduceCase[]): Promise<ReadonlyMap<string, string>> {
  const connect = (): Promise<RawClient> => RawClient.connect(Number(bootstrap.split(':')[1]))
  let client = await connect()
  const answers = new Map<string, string>()
  for (const { name, topic, version = 9, records } of cases) {
    const partitionData = [partitionProduceData({ index: 0, records: [records] })]
    const request = produceRequest({
      acks: -1,
      timeoutMs: 20_000,
      topicData: [topicProduceData({ name: topicName(topic, prefix), partitionData })],
    })
    for (;;) {
      client.send('Produce', version, request)
      const answer = await client.next()
      if (answer === undefined) {
        answers.set(name, 'closed')
        client = await connect()
        break
      }
      const { responses } = answer.message as Awaited<ReturnType<typeof client.ask<'Produce'>>>
      const one = responses[0]!.partitionResponses[0]!
      const { errorCode, recordErrors, errorMessage, baseOffset, logAppendTimeMs } = one
      // The topic is a moment old.
      if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) continue
      if (answers.has(name)) throw new Error(`two cases are named ${name}`)
      const about = recordErrors.length === 0 ? '' : ` ${recordErrors.map(({ batchIndex }) => batchIndex).join(' ')}`
      const isFailed = errorCode !== 0
      const isTimed = logAppendTimeMs >= 0n
      const odd = isFailed === baseOffset >= 0n || (isTimed && (isFailed || !topic.startsWith('append')))
      const messages =
        recordErrors.length > 0 && (errorMessage === null || recordErrors.some((each) => each.batchIndexErrorMessage === null))
      answers.set(name, `${errorName(errorCode)}${about}${odd || messages ? ' *' : ''}`)
      break
    }
  }
  client.close()
  return answers
}

async function dropTopics(bootstrap: string, prefix: string): Promise<void> {
  const client = await RawClient.connect(Number(bootstrap.split(':')[1]))
  const topicNames = (Object.keys(topicKinds) as TopicKind[]).map((kind) => topicName(kind, prefix))
  const { responses } = await client.ask('DeleteTopics', 5, deleteTopicsRequest({ timeoutMs: 30_000, topicNames }))
  client.close()
  const failed = responses.find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) throw new Error(`${failed.name}: ${errorName(failed.errorCode)}`)
}

/** What the broker says to every case, on topics of its own, which are gone afterwards. */
export async function askAll(bootstrap: string): Promise<Readonly<Record<string, string>>> {
  const cases = produceCases(await loadBatchCompression(), (plain) => snappy.compressSync(Buffer.from(plain)))
  const prefix = freshName('answers')
  await makeTopics(bootstrap, prefix)
  const answers = Object.fromEntries(await answersOf(bootstrap, prefix, cases))
  await dropTopics(bootstrap, prefix)
  return answers
}
