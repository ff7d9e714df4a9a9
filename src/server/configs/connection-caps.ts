// Owns how many connections there may be: in all, and from one address, by what is set on the broker at the moment. Not refusing them.

import { connectionOverrides } from '../../broker/core/index.ts'
import type { ConnectionCaps } from '../listener/kafka-listener.ts'
import type { Broker } from '../ports.ts'

export function connectionCapsOf(broker: Pick<Broker, 'brokerConfig'>, connectionsMax: number): ConnectionCaps {
  const perAddress = Number(broker.brokerConfig('max.connections.per.ip') ?? Infinity)
  const overrides = broker.brokerConfig('max.connections.per.ip.overrides')
  return {
    all: Number(broker.brokerConfig('max.connections') ?? connectionsMax),
    of: (address) => {
      const own = overrides === undefined ? undefined : connectionOverrides(overrides)?.get(address)
      return own ?? perAddress
    },
  }
}
