// Owns structured logging to a stream, by pino: one JSON object a line, or readable lines where a person watches.

import { type Logger, pino } from 'pino'
import { type LogLevel, type LogLevels, rootLogger } from '../log-levels.ts'
import type { Log, LogFields } from '../log.ts'

export interface PinoLogOptions {
  readonly levels: LogLevels
  readonly format: 'json' | 'text'
  readonly write: (line: string) => void
}

function textLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as { time: string; level: string; msg: string }
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return `${time} ${level.toUpperCase().padEnd(5)} ${msg}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}\n`
}

/** Our names of levels in Kafka's. */
export const levelNamed = (level: 'debug' | 'info' | 'warn' | 'error'): LogLevel => level.toUpperCase() as LogLevel

/** `name` is the logger's, whose level decides. */
function wrap(logger: Logger, levels: LogLevels, name: string): Log {
  return {
    debug: (message, fields) => {
      if (levels.isWritten(name, 'DEBUG')) logger.debug(fields ?? {}, message)
    },
    info: (message, fields) => {
      if (levels.isWritten(name, 'INFO')) logger.info(fields ?? {}, message)
    },
    warn: (message, fields) => {
      if (levels.isWritten(name, 'WARN')) logger.warn(fields ?? {}, message)
    },
    error: (message, fields) => {
      if (levels.isWritten(name, 'ERROR')) logger.error(fields ?? {}, message)
    },
    with: (fields: LogFields) => wrap(logger.child(fields), levels, name),
    named: (inner: string) => {
      levels.register(inner)
      return wrap(logger.child({ logger: inner }), levels, inner)
    },
  }
}

export function pinoLog(options: PinoLogOptions): Log {
  const write =
    options.format === 'text'
      ? (line: string) => {
          options.write(textLine(line))
        }
      : options.write
  const root = pino(
    {
      // What is written is decided before pino is asked: its own level never changes.
      level: 'debug',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause, cause: pino.stdSerializers.errWithCause },
    },
    { write },
  )
  return wrap(root, options.levels, rootLogger)
}
