// Owns which of Kafka's broker configs this node has, and their values, as DescribeConfigs shows them. Not their effect.

import { topicConfigs } from '../protocol/generated/topic-configs.ts'
import type { HostAndPort, ListenerPlan } from './listener/endpoint.ts'
import { listenersOf } from './listeners.ts'
import type { NodeSettings } from './node-settings.ts'
import { usesSasl, usesTls } from './security/protocol.ts'

/** By the names of their settings; nothing of a secret, and nothing while no listener asks for it. */
function securityConfigsOf({ tls, sasl, acl }: NodeSettings, listeners: readonly ListenerPlan[]): Array<[string, string]> {
  const values: Array<[string, string]> = []
  if (listeners.some(({ name, protocol }) => name !== protocol))
    values.push(['listener.security.protocol.map', listeners.map(({ name, protocol }) => `${name}:${protocol}`).join(',')])
  if (listeners.some(({ protocol }) => usesTls(protocol))) values.push(['ssl.client.auth', tls.clientAuth])
  if (listeners.some(({ protocol }) => usesSasl(protocol)))
    values.push(['sasl.enabled.mechanisms', sasl.mechanisms.join(',')], ['connections.max.reauth.ms', String(sasl.sessionMsMax)])
  if (acl.enabled)
    values.push(['super.users', acl.superUsers.join(';')], ['allow.everyone.if.no.acl.found', String(acl.allowIfNone)])
  return values
}

const quotaConfigsOf = ({ quota }: NodeSettings): Array<[string, string]> => [
  ['quota.window.num', String(quota.windowNum)],
  ['quota.window.size.seconds', String(Math.round(quota.windowSizeMs / 1000))],
  ['controller.quota.window.num', String(quota.controllerWindowNum)],
  ['controller.quota.window.size.seconds', String(Math.round(quota.controllerWindowSizeMs / 1000))],
]

export function brokerConfigsOf(settings: NodeSettings, topicDefaults: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { kafka, node, groups, offsets, transactions, cleaner } = settings
  const listeners = listenersOf(settings)
  const addresses = (of: (plan: ListenerPlan) => HostAndPort): string =>
    listeners.map((plan) => `${plan.name}://${of(plan).host}:${of(plan).port}`).join(',')
  const values = new Map<string, string>([
    ['broker.id', String(node.id)],
    ['node.id', String(node.id)],
    ['listeners', addresses(({ listen }) => listen)],
    ['advertised.listeners', addresses(({ advertised, listen }) => advertised ?? listen)],
    ...securityConfigsOf(settings, listeners),
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
    ['group.consumer.min.session.timeout.ms', String(groups.consumerSessionTimeoutMinMs)],
    ['group.consumer.max.session.timeout.ms', String(groups.consumerSessionTimeoutMaxMs)],
    ['group.consumer.min.heartbeat.interval.ms', String(groups.consumerHeartbeatIntervalMinMs)],
    ['group.consumer.max.heartbeat.interval.ms', String(groups.consumerHeartbeatIntervalMaxMs)],
    ['group.consumer.max.size', String(groups.consumerMaxSize)],
    ['group.consumer.assignors', groups.consumerAssignors.join(',')],
    ['group.consumer.migration.policy', groups.consumerMigrationPolicy],
    ...quotaConfigsOf(settings),
    ['log.cleaner.enable', String(cleaner.enabled)],
    ['log.cleaner.backoff.ms', String(cleaner.backoffMs)],
    ['log.cleaner.dedupe.buffer.size', String(cleaner.dedupeBufferBytes)],
    ...(cleaner.ioBytesPerSecondMax === 0
      ? []
      : [['log.cleaner.io.max.bytes.per.second', String(cleaner.ioBytesPerSecondMax)] as const]),
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
