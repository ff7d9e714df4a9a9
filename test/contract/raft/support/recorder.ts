// Owns what a transport delivers, for tests to wait for.

import { waitUntil } from '../../../../localstack/index.ts'
import type { SupportMessage } from '../../../../src/raft/core/index.ts'
import type { Envelope, TransportHandlers } from '../../../../src/raft/ports.ts'

export class Recorder implements TransportHandlers {
  readonly received: Array<{ readonly from: number; readonly envelope: Envelope }> = []
  readonly support: Array<{ readonly from: number; readonly message: SupportMessage }> = []
  readonly lost: number[] = []

  receive(from: number, envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) this.received.push({ from, envelope })
  }

  receiveSupport(from: number, message: SupportMessage): void {
    this.support.push({ from, message })
  }

  disconnected(peer: number): void {
    this.lost.push(peer)
  }

  has(what: string, holds: () => boolean): Promise<void> {
    return waitUntil(holds, { until: what, timeoutMs: 20_000 })
  }
}
