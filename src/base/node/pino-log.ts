// Owns structured logging to a stream, by pino: one JSON object a line, or readable lines where a person watches.

import { type Logger, pino } from 'pino'
import type { Log, LogFields } from '../log.ts'

export interface PinoLogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
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

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields) => {
      logger.debug(fields ?? {}, message)
    },
    info: (message, fields) => {
      logger.info(fields ?? {}, message)
    },
    warn: (message, fields) => {
      logger.warn(fields ?? {}, message)
    },
    error: (message, fields) => {
      logger.error(fields ?? {}, message)
    },
    with: (fields: LogFields) => wrap(logger.child(fields)),
  }
}

export function pinoLog(options: PinoLogOptions): Log {
  const write =
    options.format === 'text'
      ? (line: string) => {
          options.write(textLine(line))
        }
      : options.write
  return wrap(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: pino.stdSerializers.errWithCause, cause: pino.stdSerializers.errWithCause },
      },
      { write },
    ),
  )
}
