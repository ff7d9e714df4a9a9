// Owns what a SASL mechanism is to the rest of the server. Not any of them.

export type SaslName = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'

export type ExchangeStep =
  /** The client is to answer this. */
  | { readonly kind: 'continue'; readonly reply: Uint8Array }
  | {
      readonly kind: 'done'
      readonly reply: Uint8Array
      /** Of the user it proved to be. */
      readonly name: string
      /** When what it proved that with expires, on the wall clock. */
      readonly expiresAtMs?: number
    }
  | {
      readonly kind: 'failed'
      /** For our log; holds no secret. */
      readonly detail: string
      /** Absent: Kafka's general text, which does not tell what was wrong. */
      readonly toldToClient?: string
    }

/** One attempt of one client. Nothing is evaluated after a step that was not `continue`. */
export interface SaslExchange {
  evaluate(token: Uint8Array): ExchangeStep | Promise<ExchangeStep>
}

export interface SaslMechanism {
  readonly name: SaslName
  begin(): SaslExchange
}

export const failedStep = (detail: string, toldToClient?: string): ExchangeStep =>
  toldToClient === undefined ? { kind: 'failed', detail } : { kind: 'failed', detail, toldToClient }

/** A user's name as a log may carry it: short, and on one line. */
export const shownName = (name: string): string => JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)
