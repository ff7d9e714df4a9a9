/** Owns waiting for members of groups, and members that say no more than what a step has them say: their group stays in the state it is in. */
import { expect } from 'vitest'
import { waitUntil } from '../../../localstack/index.ts'
import {
  consumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { joinGroupRequest, type JoinGroupRequest, type JoinGroupResponse } from '../../../src/protocol/generated/join-group.ts'
import { leaveGroupRequest, memberIdentity } from '../../../src/protocol/generated/leave-group.ts'
import { metadataRequest, metadataRequestTopic } from '../../../src/protocol/generated/metadata.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { RawClient } from '../../contract/server/support/raw-client.ts'
import { type Differential, tools } from './differential.ts'
import { topic } from './names.ts'

export const groups = `${tools}.consumer.group.ConsumerGroupCommand`

/** Until the tool says of a partition of both that nothing is left to read. */
export function haveCommittedAll(kafka: Differential, group: string): Promise<void> {
  const say = async (): Promise<boolean> =>
    (await kafka.both(groups, ['--describe', '--group', group])).every(({ lines }) =>
      lines.some((line) => / (\d+) \1 0 /.test(line)),
    )
  return waitUntil(say, { until: `both members of ${group} have committed all there is`, timeoutMs: 60_000 })
}

const connect = (bootstrap: string): Promise<RawClient> => RawClient.connect(Number(bootstrap.split(':')[1]))

/** A member of the classic protocol that says no more than what it is told to: the group waits for it. */
export class ClassicMember {
  readonly #client: RawClient
  readonly #group: string
  #memberId = ''

  private constructor(client: RawClient, group: string) {
    this.#client = client
    this.#group = group
  }

  static async at(bootstrap: string, group: string): Promise<ClassicMember> {
    return new ClassicMember(await connect(bootstrap), group)
  }

  /** The broker gives out an id first, then takes the member in with it. */
  async begin(): Promise<void> {
    const told = await this.#ask(this.#request())
    expect(told.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
    this.#memberId = told.memberId
  }

  /** Answered when all members have joined. */
  async join(): Promise<void> {
    expect((await this.#ask(this.#request())).errorCode).toBe(ErrorCode.NONE)
  }

  async leave(): Promise<void> {
    const members = [memberIdentity({ memberId: this.#memberId })]
    await this.#client.ask('LeaveGroup', 5, leaveGroupRequest({ groupId: this.#group, members }))
    this.hangUp()
  }

  hangUp(): void {
    this.#client.close()
  }

  #request(): JoinGroupRequest {
    return joinGroupRequest({
      groupId: this.#group,
      memberId: this.#memberId,
      protocolType: 'consumer',
      sessionTimeoutMs: 60_000,
      rebalanceTimeoutMs: 300_000,
      protocols: [{ name: 'range', metadata: subscription }],
    })
  }

  #ask(request: JoinGroupRequest): Promise<JoinGroupResponse> {
    return this.#client.ask('JoinGroup', 9, request)
  }
}

/** ConsumerProtocolSubscription, version 0: one topic, no user data. */
const subscription = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 0, 1, 0, topic.length]),
  Buffer.from(topic),
  Buffer.from([0xff, 0xff, 0xff, 0xff]),
])

/** A member of the consumer protocol that says by hand what it holds. */
export class ModernMember {
  readonly #client: RawClient
  readonly #group: string
  readonly #memberId: string
  #epoch = 0

  private constructor(client: RawClient, group: string, memberId: string) {
    this.#client = client
    this.#group = group
    this.#memberId = memberId
  }

  static async at(bootstrap: string, group: string, memberId: string): Promise<ModernMember> {
    return new ModernMember(await connect(bootstrap), group, memberId)
  }

  async join(): Promise<void> {
    await this.beat({
      rebalanceTimeoutMs: 300_000,
      subscribedTopicNames: [topic],
      serverAssignor: 'uniform',
      topicPartitions: [],
    })
  }

  async hold(topicId: string, partitions: readonly number[]): Promise<void> {
    await this.beat({ topicPartitions: [{ topicId, partitions }] })
  }

  async leave(): Promise<void> {
    this.#epoch = -1
    await this.beat({})
    this.#client.close()
  }

  async beat(said: Parameters<typeof consumerGroupHeartbeatRequest>[0] = {}): Promise<ConsumerGroupHeartbeatResponse> {
    const told = await this.#client.ask(
      'ConsumerGroupHeartbeat',
      1,
      consumerGroupHeartbeatRequest({ groupId: this.#group, memberId: this.#memberId, memberEpoch: this.#epoch, ...said }),
    )
    expect(told.errorCode, told.errorMessage ?? '').toBe(ErrorCode.NONE)
    this.#epoch = told.memberEpoch
    return told
  }
}

export async function topicIdAt(bootstrap: string): Promise<string> {
  const client = await connect(bootstrap)
  const { topics } = await client.ask('Metadata', 12, metadataRequest({ topics: [metadataRequestTopic({ name: topic })] }))
  client.close()
  return topics[0]!.topicId
}
