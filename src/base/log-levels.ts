// Owns how important a line of each logger must be to be written, which may change while the node runs. Levels are Kafka's, as its
// tools set them. Not the lines (node/pino-log.ts).

import { assert } from './assert.ts'

/** From all lines to the fewest. We write none that are FATAL: it silences a logger. */
export const logLevels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
export type LogLevel = (typeof logLevels)[number]

/** Whose level those have that have none of their own. */
export const rootLogger = 'root'

export const isLogLevel = (text: string): text is LogLevel => logLevels.some((level) => level === text)

export class LogLevels {
  readonly #initial: LogLevel
  readonly #names = new Set<string>([rootLogger])
  readonly #own = new Map<string, LogLevel>()

  constructor(initial: LogLevel) {
    this.#initial = initial
  }

  /** A logger there is from now on. */
  register(name: string): void {
    this.#names.add(name)
  }

  /** In the order of the alphabet. */
  names(): readonly string[] {
    return [...this.#names].sort()
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  levelOf(name: string): LogLevel {
    return this.#own.get(name) ?? this.#own.get(rootLogger) ?? this.#initial
  }

  /** What was set while running. */
  own(): ReadonlyMap<string, LogLevel> {
    return this.#own
  }

  /** Sets these, and takes away what is not among them. */
  replace(own: ReadonlyMap<string, LogLevel>): void {
    for (const name of own.keys()) assert(this.#names.has(name), 'a level is set on a logger that is there')
    this.#own.clear()
    for (const [name, level] of own) this.#own.set(name, level)
  }

  isWritten(name: string, level: LogLevel): boolean {
    return logLevels.indexOf(level) >= logLevels.indexOf(this.levelOf(name))
  }
}
