// Owns which listeners a node has, from its settings: `kafka.listeners`, or the one of `kafka.listen`. Not their sockets (listener/).

import type { ListenerPlan } from './listener/endpoint.ts'
import type { NodeSettings } from './node-settings.ts'

export function listenersOf({ kafka }: Pick<NodeSettings, 'kafka'>): readonly ListenerPlan[] {
  if (kafka.listeners.length === 0) {
    const { listen, advertised, securityProtocol: protocol } = kafka
    return [{ name: protocol, protocol, listen, ...(advertised === undefined ? {} : { advertised }) }]
  }
  const advertisedOf = new Map(kafka.advertisedListeners.map(({ name, host, port }) => [name, { host, port }]))
  return kafka.listeners.map(({ name, protocol, host, port }) => {
    const advertised = advertisedOf.get(name)
    return { name, protocol, listen: { host, port }, ...(advertised === undefined ? {} : { advertised }) }
  })
}
