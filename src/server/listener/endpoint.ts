// Owns what a listener is: its name, where it listens, what clients are told, how it is secured. Not its socket (acceptor.ts).

import type { SecurityProtocol } from '../security/protocol.ts'

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

export interface ListenerPlan {
  /** As in Kafka: EXTERNAL, INTERNAL; what has no other name is called by its protocol. */
  readonly name: string
  readonly protocol: SecurityProtocol
  /** Port 0 takes any free one. */
  readonly listen: HostAndPort
  /** Where clients of this listener are told to connect. Absent: the bound address. */
  readonly advertised?: HostAndPort
}

/** A listener as its connections and their handlers see it. */
export interface Endpoint {
  readonly name: string
  readonly protocol: SecurityProtocol
  /** Where clients that came in here are told to connect. */
  advertised(): HostAndPort
}
