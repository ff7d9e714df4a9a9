// Owns which of Kafka's broker configs this node has, and their values, as DescribeConfigs shows them. Not their effect.

import { topicConfigs } from '../protocol/generated/topic-configs.ts'
import type { NodeSettings } from './node-settings.ts'

export function brokerConfigsOf(settings: NodeSettings, topicDefaults: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { kafka, node, groups, offsets, transactions } = settings
  const listener = `PLAINTEXT://${kafka.listen.host}:${kafka.listen.port}`
  const advertised = kafka.advertised ?? kafka.listen
  const values = new Map<string, string>([
    ['broker.id', String(node.id)],
    ['node.id', String(node.id)],
    ['listeners', listener],
    ['advertised.listeners', `PLAINTEXT://${advertised.host}:${advertised.port}`],
    ['auto.create.topics.enable', String(kafka.autoCreateTopics)],
    ['num.partitions', String(kafka.numPartitions)],
    ['default.replication.factor', '1'],
    ['offsets.topic.num.partitions', String(groups.offsetsPartitions)],
    ['offsets.topic.replication.factor', '1'],
    ['transaction.state.log.num.partitions', String(transactions.statePartitions)],
    ['transaction.state.log.replication.factor', '1'],
    ['transaction.state.log.min.isr', '1'],
    ['transaction.max.timeout.ms', String(transactions.timeoutMaxMs)],
    ['transactional.id.expiration.ms', String(transactions.idExpirationMs)],
    ['transaction.abort.timed.out.transaction.cleanup.interval.ms', String(transactions.abortCheckMs)],
    ['offsets.retention.minutes', String(Math.round(offsets.retentionMs / 60_000))],
    ['group.min.session.timeout.ms', String(groups.sessionTimeoutMinMs)],
    ['group.max.session.timeout.ms', String(groups.sessionTimeoutMaxMs)],
    ['group.initial.rebalance.delay.ms', String(groups.initialRebalanceDelayMs)],
    ['group.max.size', String(groups.maxSize)],
    ['group.consumer.session.timeout.ms', String(groups.consumerSessionTimeoutMs)],
    ['group.consumer.heartbeat.interval.ms', String(groups.consumerHeartbeatIntervalMs)],
    ['group.consumer.max.size', String(groups.consumerMaxSize)],
    ['group.consumer.assignors', groups.consumerAssignors.join(',')],
    ['group.consumer.migration.policy', groups.consumerMigrationPolicy],
    ['socket.request.max.bytes', String(kafka.requestBytesMax)],
    ['connections.max.idle.ms', String(kafka.connectionsIdleMs)],
    ['max.connections', String(kafka.connectionsMax)],
  ])
  if (node.rack !== '') values.set('broker.rack', node.rack)
  for (const { name, brokerSynonym } of topicConfigs) {
    const value = topicDefaults.get(name)
    if (value !== undefined && brokerSynonym !== undefined) values.set(brokerSynonym, value)
  }
  return values
}
