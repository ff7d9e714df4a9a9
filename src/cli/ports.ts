// Owns what the command line needs from the house and from the person in front of it. A command whose engine is not there is not
// registered: nothing pretends. wired.ts says which are.

import type { LogLevels } from '../base/log-levels.ts'
import type { Log } from '../base/log.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import type { Address, Environment, Settings } from './settings/index.ts'

export interface RunningBroker {
  /** Where it really listens: with the port the system chose, where port 0 was asked for. */
  readonly kafkaAddress: Address
  readonly httpAddress: Address
  /** `s3://bucket/prefix`, `local:/path`. */
  readonly storeLocation: string
  /** Resolves after `close`; rejects when the broker ends by itself: fenced, or its disk or a part of it failed. */
  readonly ended: Promise<void>
  /** Finishes what is in flight, uploads what is not in the bucket yet, then closes. Idempotent. */
  close(): Promise<void>
}

export interface StartBrokerOrder {
  readonly log: Log
  readonly version: string
}

/** Throws OpError: `invalid` for settings that turn out wrong only now, any other kind when the world fails. */
export type StartBroker = (
  settings: Settings,
  order: StartBrokerOrder & { readonly logLevels: LogLevels },
) => Promise<RunningBroker>

export type OpenObjectStore = (settings: Settings, order: StartBrokerOrder) => Promise<ObjectStore>

/** One thing that was found out, for a person and for a program. */
export interface Line {
  readonly text: string
  readonly json: unknown
}

export interface BucketVerdict {
  readonly isWhole: boolean
  /** Damage and garbage first, the totals last. */
  readonly lines: readonly Line[]
}

export interface VerifyOptions {
  /** Read all data and check every batch; else only what names and describes it. */
  readonly deep: boolean
}

/** Reads only. */
export type VerifyBucket = (
  store: ObjectStore,
  onProgress: (done: number, total: number) => void,
  options: VerifyOptions,
) => Promise<BucketVerdict>

export type DumpForm = 'wal' | 'segment' | 'object'

/** What is in one file or object, entry by entry. Throws OpError `corrupt` where it cannot go on; what came before stands. */
export type Dump = (form: DumpForm, bytes: Uint8Array, options: DumpOptions) => Iterable<Line> | AsyncIterable<Line>

export interface DumpOptions {
  /** What the bytes are called: a path, or a key of the bucket. */
  readonly name: string
  /** Show every record of every batch. */
  readonly records: boolean
}

/** Every engine loads when it is first used. An absent one has no command. */
export interface Engines {
  readonly startBroker?: () => Promise<StartBroker>
  readonly openObjectStore?: () => Promise<OpenObjectStore>
  readonly verifyBucket?: () => Promise<VerifyBucket>
  readonly dump?: () => Promise<Dump>
}

/** The person, or the pipe, in front of the command. */
export interface Console {
  readonly isTerminal: boolean
  out(text: string): void
  error(text: string): void
}

export interface OpenedLog {
  readonly log: Log
  /** Which of its lines are written, from now on. */
  readonly levels: LogLevels
}

export interface World {
  readonly argv: readonly string[]
  readonly env: Environment
  readonly console: Console
  readonly version: string
  readFile(path: string): Promise<Uint8Array>
  /** Calls back at SIGTERM and SIGINT until it is cancelled. */
  onStopSignal(callback: (signal: string) => void): () => void
  /** Ends the process without waiting for anything. */
  abandon(exitCode: number): void
  openLog(options: { readonly level: Settings['log']['level']; readonly format: 'text' | 'json' }): OpenedLog
  readonly engines: Engines
}
