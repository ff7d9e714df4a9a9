// Owns how the configs of a group are shown and refused (KIP-848). What they do, the groups know.

import { faultOfConfigValue } from '../../broker/core/index.ts'
import { faultOfGroupConfigs, groupConfigNames, type GroupSettings } from '../../groups/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import { groupConfigs } from '../../protocol/generated/topic-configs.ts'
import type { KafkaFailure } from '../ports.ts'

export const groupConfigDefinitions = groupConfigs.filter(({ name }) => groupConfigNames.includes(name))

/** The broker config that is the default of a group's. */
export const brokerNameOf = (name: string): string => `group.${name}`

export function refusalOfGroupConfigs(configs: ReadonlyMap<string, string>, settings: GroupSettings): KafkaFailure | undefined {
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_CONFIG, message })
  for (const [name, value] of configs) {
    const definition = groupConfigs.find((one) => one.name === name)
    if (definition === undefined) return invalid(`Unknown group config name: ${name}`)
    if (!groupConfigNames.includes(name))
      return invalid(`${name} would do nothing: there are no share or streams groups here, and assignments are made at once`)
    const fault = faultOfConfigValue(definition, value)
    if (fault !== undefined) return invalid(fault)
  }
  const fault = faultOfGroupConfigs(configs, settings)
  return fault === undefined ? undefined : invalid(fault)
}
