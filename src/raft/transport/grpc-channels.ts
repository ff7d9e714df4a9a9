// Owns gRPC channels by address: one each, the least recently used closed beyond a number (R8). Not what is called on them.

import { Client, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js'

export interface GrpcChannelsOptions {
  readonly credentials: ChannelCredentials
  readonly channel: ChannelOptions
  readonly channelsMax: number
}

export class GrpcChannels {
  readonly #options: GrpcChannelsOptions
  /** By address, the least recently used first. */
  readonly #clients = new Map<string, Client>()
  opened = 0
  evicted = 0

  constructor(options: GrpcChannelsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#clients.size
  }

  /** Calls that are under way on a channel that goes end with it. */
  to(address: string): Client {
    const { credentials, channel, channelsMax } = this.#options
    let client = this.#clients.get(address)
    this.#clients.delete(address)
    if (client === undefined) {
      client = new Client(address, credentials, channel)
      this.opened += 1
    }
    this.#clients.set(address, client)
    for (const [oldest, unused] of this.#clients) {
      if (this.#clients.size <= channelsMax) break
      this.#clients.delete(oldest)
      unused.close()
      this.evicted += 1
    }
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}
