// Owns the shape of structured logging. The real one (pino) is in base/node; tests pass a recording one.

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose lines all carry `fields`. */
  with(fields: LogFields): Log
  /** A log whose lines are those of this logger, with a level of its own (log-levels.ts). */
  named(logger: string): Log
}

const nothing = (): void => undefined

export const silentLog: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  with: () => silentLog,
  named: () => silentLog,
}
