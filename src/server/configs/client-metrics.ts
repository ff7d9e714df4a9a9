// Owns which configs a subscription of client metrics has (KIP-714), and what they may be. They are kept and shown; without a receiver
// for metrics, clients are asked for none, as in Kafka.

import { faultOfConfigValue } from '../../broker/core/index.ts'
import { compileExpression } from '../../groups/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import type { ConfigDefinition } from '../../protocol/generated/topic-configs.ts'
import type { KafkaFailure } from '../ports.ts'

const intervalConfig = 'interval.ms'
const intervalMsMin = 100
const intervalMsMax = 3_600_000

export const clientMetricsDefinitions: readonly ConfigDefinition[] = [
  { name: intervalConfig, type: 'INT', default: '300000', importance: 'MEDIUM' },
  { name: 'match', type: 'LIST', default: '', importance: 'MEDIUM' },
  { name: 'metrics', type: 'LIST', default: '', importance: 'MEDIUM' },
]

const matchable = new Set([
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
])

function isPattern(pattern: string): boolean {
  const [name, expression, ...more] = pattern.split('=')
  if (name === undefined || expression === undefined || more.length > 0 || !matchable.has(name.trim())) return false
  return expression.trim() !== '' && compileExpression(expression.trim()) !== undefined
}

/** Why a subscription may not have these, as all that is set on it; in Kafka's words. */
export function refusalOfClientMetrics(configs: ReadonlyMap<string, string>): KafkaFailure | undefined {
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })
  const badConfig = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_CONFIG, message })
  for (const [name, value] of configs) {
    const definition = clientMetricsDefinitions.find((one) => one.name === name)
    if (definition === undefined) return invalid(`Unknown client metrics configuration: ${name}`)
    const fault = faultOfConfigValue(definition, value)
    if (fault !== undefined) return badConfig(fault)
  }
  const interval = Number(configs.get(intervalConfig) ?? intervalMsMin)
  if (interval < intervalMsMin || interval > intervalMsMax)
    return invalid(`Invalid value ${interval} for ${intervalConfig}, interval must be between 100 and 3600000 (1 hour)`)
  const patterns = (configs.get('match') ?? '').split(',').filter((pattern) => pattern.trim() !== '')
  const strange = patterns.find((pattern) => !isPattern(pattern))
  return strange === undefined ? undefined : badConfig(`Illegal client matching pattern: ${strange.trim()}`)
}
