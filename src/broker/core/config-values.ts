// Owns which values a config of Kafka's tables takes: its type and its range or words, in the terms Kafka refuses them. Not which
// configs there are, nor what they do.

import type { ConfigDefinition } from '../../protocol/generated/topic-configs.ts'

const integerBounds: Readonly<Record<string, readonly [bigint, bigint]>> = {
  SHORT: [-(2n ** 15n), 2n ** 15n - 1n],
  INT: [-(2n ** 31n), 2n ** 31n - 1n],
  LONG: [-(2n ** 63n), 2n ** 63n - 1n],
}

function faultOfRange(definition: ConfigDefinition, value: number): string | undefined {
  const range = /^\[(-?\d+),\.\.\.(?:,(-?\d+))?\](?: or (-?\d+))?$/.exec(definition.valid ?? '')
  if (range === null) return undefined
  const [, low, high, or] = range
  if (or !== undefined && value === Number(or)) return undefined
  if (value < Number(low)) return `Value must be at least ${low}`
  return high !== undefined && value > Number(high) ? `Value must be no more than ${high}` : undefined
}

function faultOfNumber(definition: ConfigDefinition, value: string): string | undefined {
  const written = value.trim()
  const notANumber = `Not a number of type ${definition.type}`
  if (definition.type === 'DOUBLE')
    return /^-?\d+(\.\d+)?([eE]-?\d+)?$/.test(written) ? faultOfRange(definition, Number(written)) : notANumber
  const bounds = integerBounds[definition.type]
  if (bounds === undefined) return undefined
  if (!/^[+-]?\d+$/.test(written)) return notANumber
  const number = BigInt(written)
  if (number < bounds[0] || number > bounds[1]) return notANumber
  return faultOfRange(definition, Number(number))
}

function faultOfWords(definition: ConfigDefinition, value: string): string | undefined {
  const allowed = /^\[([a-zA-Z][a-zA-Z0-9, ]*)\]$/.exec(definition.valid ?? '')?.[1]?.split(', ')
  if (allowed === undefined) return undefined
  const words = definition.type === 'LIST' ? value.split(',').map((word) => word.trim()) : [value]
  return words.every((word) => allowed.includes(word)) ? undefined : `String must be one of: ${allowed.join(', ')}`
}

/** Why Kafka would not take the value, or undefined when it would. */
export function faultOfConfigValue(definition: ConfigDefinition, value: string): string | undefined {
  const wrong =
    definition.type === 'BOOLEAN'
      ? /^(true|false)$/i.test(value.trim())
        ? undefined
        : 'Expected value to be either true or false'
      : (faultOfNumber(definition, value) ?? faultOfWords(definition, value))
  return wrong === undefined ? undefined : invalidValue(definition.name, value, wrong)
}

/** Kafka's sentence of a refused value. */
export const invalidValue = (name: string, value: string, why: string): string =>
  `Invalid value ${value} for configuration ${name}: ${why}`
