/** Owns one end of the link that is measured: node 1 sends and counts what comes back, node 2 takes and answers. Not the figures (bench.ts). */
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { message } from '../../../src/raft/core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../../../src/raft/ports.ts'
import { linkDefaults, type LinkOptions } from '../../../src/raft/transport/peer-links.ts'

export type Kind = 'tcp' | 'grpc'

export interface EndOrder {
  readonly kind: Kind
  readonly id: 1 | 2
  readonly ports: readonly [number, number]
}

/** `depth`: frames that wait for their acknowledgement at most. */
export interface Load {
  readonly name: string
  readonly frames: number
  readonly depth: number
  readonly payloadBytes: number
}

export interface LoadResult {
  readonly elapsedMs: number
  readonly cpuUs: number
  /** Of a frame and its acknowledgement, sorted, in microseconds; of some of them. */
  readonly roundTripsUs: readonly number[]
}

/** With more in flight, each so many frames are acknowledged by one. */
const ackEvery = (depth: number): number => Math.max(1, Math.floor(depth / 5))

async function open(order: EndOrder, handlers: TransportHandlers): Promise<RaftTransport> {
  const { kind, id, ports } = order
  const address = (node: 1 | 2) => ({ host: '127.0.0.1', port: ports[node - 1]! })
  const other = id === 1 ? 2 : 1
  const options: LinkOptions = {
    id,
    clusterId: 'bench',
    listen: address(id),
    peers: new Map([[other, address(other)]]),
    tls: undefined,
    // Nothing but the load is sent: silence is no fault here.
    settings: { ...linkDefaults, silentMs: 3_600_000 },
    clock: systemClock,
    prng: seededPrng(id),
    log: silentLog,
  }
  if (kind === 'tcp') {
    const { TcpTransport } = await import('../../../src/raft/transport/tcp-transport.ts')
    const transport = new TcpTransport(options, handlers)
    await transport.start()
    return transport
  }
  const { GrpcTransport } = await import('../../../src/raft/transport/grpc-transport.ts')
  const transport = new GrpcTransport(options, handlers)
  await transport.start()
  return transport
}

class Taker implements TransportHandlers {
  transport: RaftTransport | undefined
  #taken = 0
  #since = 0
  #every = 1

  /** From here on, each so many frames are acknowledged by one. */
  acknowledge(every: number): void {
    this.#since = this.#taken
    this.#every = every
  }

  receive(from: number, envelopes: readonly Envelope[]): void {
    this.#taken += envelopes.length
    if ((this.#taken - this.#since) % this.#every === 0) this.transport?.send(from, [answer(this.#taken)])
  }

  receiveSupport(): void {}

  disconnected(): void {}
}

const answer = (taken: number): Envelope => ({
  group: 1,
  message: message('append-response', 1, { from: 2, term: 1, index: taken }),
  supportEpoch: 1,
})

class Sender implements TransportHandlers {
  transport: RaftTransport | undefined
  acked = 0
  onAck: () => void = () => undefined

  receive(_from: number, [envelope]: readonly Envelope[]): void {
    this.acked = envelope!.message.index
    this.onAck()
  }

  receiveSupport(): void {}

  disconnected(): void {}

  /** `first`: how many were sent before. */
  run({ frames, depth, payloadBytes }: Load, first: number): Promise<LoadResult> {
    const payload = new Uint8Array(payloadBytes).fill(7)
    const entries = payloadBytes === 0 ? [] : [{ term: 1, index: 2, kind: 'batch' as const, change: undefined, payload }]
    const type = payloadBytes === 0 ? 'heartbeat' : 'append'
    const envelope: Envelope = {
      group: 1,
      message: message(type, 2, { from: 1, term: 1, index: 1, logTerm: 1, commit: 1, entries }),
      supportEpoch: 0,
    }
    const cpu = process.cpuUsage()
    const startedMs = performance.now()
    const sentAtMs = new Float64Array(frames)
    const roundTripsUs: number[] = []
    let sent = 0
    return new Promise((resolve) => {
      const fill = (): void => {
        while (sent < frames && first + sent - this.acked < depth) {
          sentAtMs[sent] = performance.now()
          sent += 1
          this.transport?.send(2, [envelope])
        }
      }
      this.onAck = () => {
        const done = this.acked - first
        roundTripsUs.push((performance.now() - sentAtMs[done - 1]!) * 1000)
        if (done < frames) return fill()
        const { user, system } = process.cpuUsage(cpu)
        roundTripsUs.sort((left, right) => left - right)
        resolve({ elapsedMs: performance.now() - startedMs, cpuUs: user + system, roundTripsUs })
      }
      fill()
    })
  }
}

type Asked =
  { readonly ask: 'run'; readonly load: Load } | { readonly ask: 'every'; readonly load: Load } | { readonly ask: 'cpu' }

export async function runEnd(order: EndOrder): Promise<void> {
  const end = order.id === 1 ? new Sender() : new Taker()
  const transport = await open(order, end)
  end.transport = transport
  let sent = 0
  const tell = (told: unknown): void => {
    process.send?.(told)
  }
  const connected = async (): Promise<void> => {
    const status = (transport as { status?: (peer: number) => { readonly isConnected: boolean } | undefined }).status
    while (status?.call(transport, order.id === 1 ? 2 : 1)?.isConnected !== true)
      await new Promise((resolve) => setTimeout(resolve, 5))
  }
  process.on('message', (asked: Asked) => {
    if (asked.ask === 'cpu') {
      const { user, system } = process.cpuUsage()
      tell({ cpuUs: user + system })
    } else if (end instanceof Taker) {
      end.acknowledge(ackEvery(asked.load.depth))
      tell({})
    } else {
      void end.run(asked.load, sent).then((result) => {
        sent += asked.load.frames
        tell(result)
      })
    }
  })
  process.on('disconnect', () => process.exit(0))
  await connected()
  tell({ ready: true })
}
