// Owns which configs a single group may have (KIP-848), what they may be, and what is in force for it. Not where they are kept.

import type { GroupSettings } from './settings.ts'

export const sessionTimeoutConfig = 'consumer.session.timeout.ms'
export const heartbeatIntervalConfig = 'consumer.heartbeat.interval.ms'

/** Those of Kafka's that do something here: there are no share or streams groups, and assignments are made at once. */
export const groupConfigNames: readonly string[] = [heartbeatIntervalConfig, sessionTimeoutConfig]

export interface ConsumerTimes {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

type Configs = ReadonlyMap<string, string>

const own = (configs: Configs, name: string, usual: number): number => {
  const text = configs.get(name)
  return text === undefined ? usual : Number(text)
}

export function consumerTimesOf(settings: GroupSettings, groupId: string): ConsumerTimes {
  return consumerTimes(settings, settings.configsOf(groupId))
}

const consumerTimes = (settings: GroupSettings, configs: Configs): ConsumerTimes => ({
  sessionTimeoutMs: own(configs, sessionTimeoutConfig, settings.consumerSessionTimeoutMs),
  heartbeatIntervalMs: own(configs, heartbeatIntervalConfig, settings.consumerHeartbeatIntervalMs),
})

/** Why the group may not have these, as all that is set on it; in Kafka's words. Numbers they are, that was checked. */
export function faultOfGroupConfigs(configs: Configs, settings: GroupSettings): string | undefined {
  const { sessionTimeoutMs, heartbeatIntervalMs } = consumerTimes(settings, configs)
  const outside = (name: string, bounds: { readonly min: number; readonly max: number }): string | undefined => {
    const value = configs.has(name) ? Number(configs.get(name)) : bounds.min
    const [, rest] = /^consumer\.(.*)$/.exec(name) ?? []
    if (value < bounds.min) return `${name} must be greater than or equal to group.consumer.min.${rest}`
    return value > bounds.max ? `${name} must be less than or equal to group.consumer.max.${rest}` : undefined
  }
  const { consumerHeartbeatIntervalMsMin, consumerHeartbeatIntervalMsMax } = settings
  const { consumerSessionTimeoutMsMin, consumerSessionTimeoutMsMax } = settings
  return (
    outside(heartbeatIntervalConfig, { min: consumerHeartbeatIntervalMsMin, max: consumerHeartbeatIntervalMsMax }) ??
    outside(sessionTimeoutConfig, { min: consumerSessionTimeoutMsMin, max: consumerSessionTimeoutMsMax }) ??
    (sessionTimeoutMs <= heartbeatIntervalMs
      ? `${sessionTimeoutConfig} must be greater than ${heartbeatIntervalConfig}`
      : undefined)
  )
}
