// Owns a transport within one process, for tests and simulations: what is sent arrives with the next turn of the event loop, in order. Not
// faults; whoever wants them puts them in between.

import type { Clock } from '../../base/clock.ts'
import type { SupportMessage } from '../core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../ports.ts'

/** The nodes that can reach each other. */
export class InMemoryNetwork {
  readonly #clock: Clock
  readonly #nodes = new Map<number, TransportHandlers>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The node's end. It is reachable from now on, under handlers of before no more. */
  join(id: number, handlers: TransportHandlers): RaftTransport {
    this.leave(id)
    this.#nodes.set(id, handlers)
    const to = (peer: number, tell: (peerHandlers: TransportHandlers) => void): void => {
      const target = this.#nodes.get(peer)
      if (target === undefined || this.#nodes.get(id) !== handlers) return
      this.#clock.afterTurn(() => {
        if (this.#nodes.get(peer) === target && this.#nodes.get(id) === handlers) tell(target)
      })
    }
    return {
      send: (peer: number, envelopes: readonly Envelope[]) => to(peer, (target) => target.receive(id, envelopes)),
      sendSupport: (peer: number, message: SupportMessage) => to(peer, (target) => target.receiveSupport(id, message)),
    }
  }

  leave(id: number): void {
    if (!this.#nodes.delete(id)) return
    for (const other of this.#nodes.values()) this.#clock.afterTurn(() => other.disconnected(id))
  }
}
