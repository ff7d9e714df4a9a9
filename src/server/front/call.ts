// Owns what a handler knows of the request it answers besides the request itself: version, client, connection, and being told to
// hurry. Does not own its timing or its place among the answers.

import type { RequestHeader } from '../../protocol/index.ts'
import type { Access } from '../guard/access.ts'
import type { ConnectionFacts } from '../listener/connection.ts'
import type { Principal } from '../security/principal.ts'
import type { ApiCounters } from './api-counters.ts'

export interface Client {
  readonly connection: ConnectionFacts
  readonly access: Access | undefined
}

export class Call {
  readonly header: RequestHeader
  readonly connection: ConnectionFacts
  /** What the client may do; undefined while ACLs are not asked. */
  readonly access: Access | undefined
  readonly #counters: ApiCounters
  #onHurry: (() => void) | undefined = undefined
  #hurried = false
  #throttleMs = 0

  constructor(header: RequestHeader, client: Client, counters: ApiCounters) {
    this.header = header
    this.connection = client.connection
    this.access = client.access
    this.#counters = counters
  }

  get version(): number {
    return this.header.apiVersion
  }

  get clientId(): string | null {
    return this.header.clientId
  }

  /** Who is asking, as far as the listener wants to know. */
  get principal(): Principal {
    return this.connection.authentication.principal
  }

  /** True once the connection is gone or the server stops. */
  get hurried(): boolean {
    return this.#hurried
  }

  /** `callback` runs when the connection goes or the server stops: answer soon, with what is there. The last one set counts. */
  onHurry(callback: (() => void) | undefined): void {
    this.#onHurry = callback
  }

  hurry(): void {
    this.#hurried = true
    this.#onHurry?.()
  }

  /** How long the client is to be silent after the answer; it is told so. */
  get throttleMs(): number {
    return this.#throttleMs
  }

  /** The longest of all that is said counts. */
  throttle(ms: number): void {
    this.#throttleMs = Math.max(this.#throttleMs, ms)
  }

  /** Counts an error told to the client; code 0 is none. */
  countError(errorCode: number): void {
    if (errorCode !== 0) this.#counters.countError(errorCode)
  }
}
