// Owns what every transport of Raft promises, and what TCP does beside it: whom it refuses, and what it does about a peer that is silent.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../../localstack/index.ts'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import type { RaftTransport } from '../../../src/raft/ports.ts'
import { InMemoryNetwork } from '../../../src/raft/transport/in-memory.ts'
import { credentials } from '@grpc/grpc-js'
import { GrpcChannels } from '../../../src/raft/transport/grpc-channels.ts'
import { GrpcTransport } from '../../../src/raft/transport/grpc-transport.ts'
import { linkDefaults, type LinkOptions, type PeerAddress, type TransportTls } from '../../../src/raft/transport/peer-links.ts'
import { TcpTransport } from '../../../src/raft/transport/tcp-transport.ts'
import { decodeFrame, encodeHello, wireVersion } from '../../../src/raft/transport/wire.ts'
import { type Authority, type KeyPair, makeAuthority } from '../../support/certificates.ts'
import { everyMessage } from './support/messages.ts'
import { Recorder } from './support/recorder.ts'

interface End {
  readonly transport: RaftTransport
  readonly recorder: Recorder
  leave(): Promise<void>
}

interface World {
  join(id: number): Promise<End>
}

const folder = mkdtempSync(join(tmpdir(), 'chronik-transport-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const leaving: Array<() => Promise<void>> = []
afterEach(async () => {
  await Promise.all(leaving.splice(0).map((leave) => leave()))
})

function inMemory(): Promise<World> {
  const network = new InMemoryNetwork(systemClock)
  const join_ = (id: number): Promise<End> => {
    const recorder = new Recorder()
    const transport = network.join(id, recorder)
    const leave = (): Promise<void> => {
      network.leave(id)
      return Promise.resolve()
    }
    return Promise.resolve({ transport, recorder, leave })
  }
  return Promise.resolve({ join: join_ })
}

type Make = (options: LinkOptions, recorder: Recorder) => Connected
const tcp: Make = (options, recorder) => new TcpTransport(options, recorder)
const grpc: Make = (options, recorder) => new GrpcTransport(options, recorder)

type Connected = TcpTransport | GrpcTransport

interface ConnectedEnd extends End {
  readonly transport: Connected
}

/** What goes through sockets. */
class ConnectedWorld implements World {
  readonly addresses: ReadonlyMap<number, PeerAddress>
  readonly #more: (id: number) => Partial<LinkOptions>
  readonly #make: Make

  constructor(make: Make, addresses: ReadonlyMap<number, PeerAddress>, more: (id: number) => Partial<LinkOptions> = () => ({})) {
    this.#make = make
    this.addresses = addresses
    this.#more = more
  }

  static async of(
    make: Make,
    more?: (id: number) => Partial<LinkOptions>,
    host = (_id: number) => '127.0.0.1',
  ): Promise<ConnectedWorld> {
    const ports = await Promise.all([freePort(), freePort(), freePort()])
    return new ConnectedWorld(make, new Map(ports.map((port, at) => [at + 1, { host: host(at + 1), port }])), more)
  }

  async join(id: number): Promise<ConnectedEnd> {
    const recorder = new Recorder()
    const options: LinkOptions = {
      id,
      clusterId: 'one',
      listen: this.addresses.get(id)!,
      peers: new Map([...this.addresses].filter(([peer]) => peer !== id)),
      tls: undefined,
      settings: linkDefaults,
      clock: systemClock,
      prng: seededPrng(id),
      log: silentLog,
      ...this.#more(id),
    }
    const transport = this.#make(options, recorder)
    await transport.start()
    const leave = (): Promise<void> => transport.close()
    leaving.push(leave)
    return { transport, recorder, leave }
  }
}

let authority: Authority | undefined
const signed = (names: string): TransportTls => {
  authority ??= makeAuthority(folder)
  const pair: KeyPair = authority.sign(`node-${names.replaceAll(/[^\w]/g, '-')}`, '/CN=node', { names })
  return {
    certificate: readFileSync(pair.certificate, 'utf8'),
    key: readFileSync(pair.key, 'utf8'),
    authority: readFileSync(authority.certificate, 'utf8'),
  }
}

const hostOf = (id: number): string => `127.0.0.${id}`
const worlds: ReadonlyArray<readonly [string, () => Promise<World>]> = [
  ['in memory', inMemory],
  ['over TCP', () => ConnectedWorld.of(tcp)],
  ['over TLS', () => ConnectedWorld.of(tcp, (id) => ({ tls: signed(`IP:${hostOf(id)}`) }), hostOf)],
  ['over gRPC', () => ConnectedWorld.of(grpc)],
  ['over gRPC with TLS', () => ConnectedWorld.of(grpc, (id) => ({ tls: signed(`IP:${hostOf(id)}`) }), hostOf)],
]

/** Sends support until it arrives: a connection has to be made first. */
async function areConnected(from: End, fromId: number, to: End, toId: number): Promise<void> {
  await to.recorder.has(`node ${toId} hears node ${fromId}`, () => {
    from.transport.sendSupport(toId, { kind: 'request', epoch: 1, sentMs: 2 })
    from.transport.send(toId, [])
    return to.recorder.support.some(({ from: sender }) => sender === fromId)
  })
}

describe.each(worlds)('%s', (_, make) => {
  it('messages arrive as they were sent, in order', async () => {
    const world = await make()
    const [one, two] = [await world.join(1), await world.join(2)]
    await areConnected(one, 1, two, 2)
    await two.recorder.has('messages arrive', () => {
      one.transport.send(2, everyMessage(1, 2))
      return two.recorder.received.length > 0
    })
    const sent = everyMessage(1, 2)
    const before = two.recorder.received.length
    for (let batch = 0; batch < 20; batch += 1) one.transport.send(2, sent)
    await two.recorder.has('all have arrived', () => two.recorder.received.length >= before + 20 * sent.length)
    expect(two.recorder.received.slice(-sent.length)).toEqual(sent.map((envelope) => ({ from: 1, envelope })))
    expect(two.recorder.received.every(({ envelope }, at) => envelope.group === at % sent.length)).toBe(true)
  })

  it('support arrives, and so do answers to it', async () => {
    const world = await make()
    const [one, two] = [await world.join(1), await world.join(2)]
    await areConnected(one, 1, two, 2)
    const answer = { kind: 'answer', epoch: 2 ** 40, sentMs: 1.5, isGranted: true, epochMin: 3, boot: 4 } as const
    await one.recorder.has('an answer arrives', () => {
      two.transport.sendSupport(1, answer)
      return one.recorder.support.length > 0
    })
    expect(one.recorder.support[0]).toEqual({ from: 2, message: answer })
  })

  it('what is sent to nobody is dropped; a node that comes back hears again, and the others know that it may have missed something', async () => {
    const world = await make()
    const one = await world.join(1)
    one.transport.send(2, everyMessage(1, 2))
    one.transport.send(9, everyMessage(1, 9))
    const two = await world.join(2)
    await areConnected(one, 1, two, 2)
    await two.leave()
    await one.recorder.has('node 1 is told', () => one.recorder.lost.includes(2))
    const again = await world.join(2)
    await areConnected(one, 1, again, 2)
  })
})

describe.each([
  ['TCP', tcp],
  ['gRPC', grpc],
])('a node over %s', (_, make) => {
  const refusalOf = async (more: (id: number) => Partial<LinkOptions>, host?: (id: number) => string): Promise<string> => {
    const world = await ConnectedWorld.of(make, more, host)
    const one = await world.join(1)
    await world.join(2)
    await one.recorder.has('node 2 refuses node 1', () => one.transport.status(2)?.refusal !== undefined)
    const { refusal, isConnected } = one.transport.status(2)!
    expect(isConnected).toBe(false)
    return refusal!
  }

  it('refuses a node of another cluster', async () => {
    expect(await refusalOf((id) => (id === 1 ? { clusterId: 'other' } : {}))).toBe('node 2 belongs to cluster one, not other')
  })

  it('refuses a node that it has no peer of, or that takes it for another', async () => {
    expect(await refusalOf((id) => (id === 2 ? { peers: new Map() } : {}))).toBe('node 2 has no peer 1: the peer lists differ')
    expect(await refusalOf((id) => (id === 2 ? { id: 7 } : {}))).toBe('this is node 7, not 2: the peer lists differ')
    expect(await refusalOf((id) => (id === 2 ? { id: 1 } : {}))).toBe('this is node 1, not 2: the peer lists differ')
  })

  it('refuses a node whose certificate is for another host', async () => {
    const tls = (id: number): Partial<LinkOptions> => ({ tls: signed(`IP:${hostOf(id === 1 ? 3 : id)}`) })
    expect(await refusalOf(tls, hostOf)).toBe('the certificate of node 1 is not for 127.0.0.1')
  })

  it('says which address it cannot have', async () => {
    const world = await ConnectedWorld.of(make)
    await world.join(1)
    await expect(world.join(1)).rejects.toThrow(/cannot listen for peers on 127\.0\.0\.1:\d+: .*(EADDRINUSE|No address added)/)
  })
})

describe('a node over gRPC', () => {
  it('counts its calls, and what became of them', async () => {
    const world = await ConnectedWorld.of(grpc)
    const [one, two] = [await world.join(1), await world.join(2)]
    await areConnected(one, 1, two, 2)
    const { rpc, channels } = one.transport as GrpcTransport
    expect(rpc.get(2)?.welcome).toBe(2)
    expect(rpc.get(2)?.welcomeUs.count).toBe(2)
    await one.recorder.has('calls to nobody fail by name', () => (rpc.get(3)?.ended.get('UNAVAILABLE') ?? 0) > 0)
    // One for each peer, whatever is called on them.
    expect([channels.size, channels.opened]).toEqual([2, 2])
  })

  it('goes on when something else is said on its port', async () => {
    const world = await ConnectedWorld.of(grpc)
    const [one, two] = [await world.join(1), await world.join(2)]
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\xff'.repeat(9000)]) {
      await answerTo(world.addresses.get(2)!, Buffer.from(bytes, 'latin1')).catch(() => undefined)
    }
    await areConnected(one, 1, two, 2)
  })

  it('closes the channel that was used least when there are too many', async () => {
    const channels = new GrpcChannels({ credentials: credentials.createInsecure(), channel: {}, channelsMax: 2 })
    const first = channels.to('127.0.0.1:1')
    channels.to('127.0.0.1:2')
    expect(channels.to('127.0.0.1:1')).toBe(first)
    channels.to('127.0.0.1:3')
    expect([channels.size, channels.opened, channels.evicted]).toEqual([2, 3, 1])
    expect(channels.to('127.0.0.1:1')).toBe(first)
    channels.close()
    await Promise.resolve()
  })
})

describe('a node over TCP', () => {
  it('tells bytes that are none of Raft’s what the port is for, and goes on', async () => {
    const world = await ConnectedWorld.of(tcp)
    const [one, two] = [await world.join(1), await world.join(2)]
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x00\x00\x00\x05hello', '\xff'.repeat(9000)]) {
      const answer = await answerTo(world.addresses.get(2)!, Buffer.from(bytes, 'latin1'))
      const decoded = decodeFrame(answer.subarray(4), { from: 2, to: 1 })
      expect(decoded.ok && decoded.value.kind === 'refusal' ? decoded.value.why : decoded).toMatch(
        /nodes of a Chronik cluster|the longest has 4096/,
      )
    }
    await areConnected(one, 1, two, 2)
  })

  it('refuses a later version by name, and bytes behind a good beginning that say nothing', async () => {
    const world = await ConnectedWorld.of(tcp)
    await world.join(2)
    const hello = { version: wireVersion + 1, clusterId: 'one', from: 1, to: 2, channel: 'messages' } as const
    const address = world.addresses.get(2)!
    expect(Buffer.from(await answerTo(address, Buffer.concat(encodeHello(hello)))).toString()).toContain(
      'node 2 speaks version 1 between nodes, not 2',
    )
    const begun = Buffer.concat([...encodeHello({ ...hello, version: wireVersion }), Buffer.of(0, 0, 0, 2, 3, 3)])
    expect(Buffer.from(await answerTo(address, begun)).toString()).toContain('a frame of node 1 says nothing')
  })

  it('dials a peer anew of which it hears nothing, though the connection stands', async () => {
    const [hidden, shown, own] = await Promise.all([freePort(), freePort(), freePort()])
    const held = new Set<Socket>()
    let isHolding = false
    let connections = 0
    // What stands between them can keep everything to itself.
    const between = createServer((socket) => {
      connections += 1
      const onward = connect(hidden, '127.0.0.1')
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        held.add(from)
        from.on('data', (chunk) => {
          if (!isHolding) to.write(chunk)
        })
        from.on('error', () => undefined)
        from.on('close', () => to.destroy())
      }
    })
    await new Promise<void>((resolve) => {
      between.listen(shown, '127.0.0.1', resolve)
    })
    leaving.push(async () => {
      for (const socket of held) socket.destroy()
      await new Promise((resolve) => {
        between.close(resolve)
      })
    })
    const at = (port: number): PeerAddress => ({ host: '127.0.0.1', port })
    const settings = { ...linkDefaults, silentMs: 200 }
    const world = new ConnectedWorld(
      tcp,
      new Map([
        [1, at(own)],
        [2, at(hidden)],
      ]),
      (id) => (id === 1 ? { settings, peers: new Map([[2, at(shown)]]) } : {}),
    )
    const [one, two] = [await world.join(1), await world.join(2)]
    await areConnected(one, 1, two, 2)
    await areConnected(two, 2, one, 1)
    await two.leave()
    isHolding = true
    const before = connections
    await one.recorder.has('node 1 dials anew', () => connections > before && one.recorder.lost.includes(2))
    isHolding = false
    const again = await world.join(2)
    await areConnected(one, 1, again, 2)
  })
})

/** Everything that comes back until the other side closes. */
function answerTo({ host, port }: PeerAddress, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    const socket = connect({ host, port, allowHalfOpen: true }, () => socket.write(bytes))
    socket.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    socket.once('end', () => {
      socket.destroy()
      resolve(Buffer.concat(chunks))
    })
    socket.once('error', reject)
  })
}
