// Owns the topics in which coordinators of this broker keep their state, by Kafka's names. Not their content.

export const offsetsTopic = '__consumer_offsets'
export const transactionStateTopic = '__transaction_state'

export type InternalTopic = typeof offsetsTopic | typeof transactionStateTopic

/** The setting that says how many partitions each has. */
export const partitionSettings: Readonly<Record<InternalTopic, string>> = {
  [offsetsTopic]: 'groups.offsets-partitions',
  [transactionStateTopic]: 'transactions.state-partitions',
}

export const isInternalTopic = (name: string): name is InternalTopic => Object.hasOwn(partitionSettings, name)
