// The door of the broker's pure part: the state machines that recovery rebuilds and the running broker goes on with.

export { type AclRecord, Acls, literalPattern, prefixedPattern, wildcardName } from './acls.ts'
export { brokerConfigInForce, type BrokerConfigLayers, connectionOverrides, faultOfBrokerConfigs } from './broker-configs.ts'
export {
  type ClientQuota,
  type ClientQuotaKey,
  clientQuotaKeys,
  ClientQuotas,
  connectionRateKey,
  type QuotaChange,
  type QuotaEntity,
  quotaEntityKey,
  type QuotaEntityType,
  quotaEntityTypes,
  type QuotaKey,
  type QuotaMatch,
} from './client-quotas.ts'
export {
  type ClusterChange,
  type ClusterCommand,
  ClusterState,
  decodeCommand,
  encodeCommand,
  type TopicRecord,
} from './cluster-state.ts'
export { decodeControl } from './control.ts'
export { faultOfConfigValue } from './config-values.ts'
export type { KeyHash } from './offset-map.ts'
export { PartitionState } from './partition-state.ts'
export { allBrokers, type ConfiguredKind, ResourceConfigs } from './resource-configs.ts'
export {
  type ScramChange,
  type ScramCredential,
  ScramCredentials,
  type ScramCredentialsOfUser,
  type ScramMechanismName,
  scramMechanismNames,
} from './scram-credentials.ts'
export type { TailBatch } from './tail-index.ts'
export { checkTopicConfigs, resolveTopicSettings, topicConfigDefinitions, type TopicSettings } from './topic-settings.ts'
