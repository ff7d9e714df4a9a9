// Owns the Kafka side of the server as one thing: listener, registry and intake put together, started and closed. Does not own the
// broker it asks.

import { topicId } from '../../model/ids.ts'
import { connectionCapsOf } from '../configs/connection-caps.ts'
import { Access } from '../guard/access.ts'
import { versionFallback } from '../handlers/api-versions.ts'
import { servedApis } from '../handlers/registry.ts'
import { assertLimits } from '../limits.ts'
import type { ConnectionFacts } from '../listener/connection.ts'
import { type BoundAddress, KafkaListener } from '../listener/kafka-listener.ts'
import type { FrontPorts } from '../ports.ts'
import { ClientThrottles } from '../quotas/client-throttles.ts'
import { ConnectionRates } from '../quotas/connection-rates.ts'
import { noSecurity, saslAuthentication } from '../security/node-security.ts'
import type { MetricSource } from '../http/metric-source.ts'
import { frontMetrics } from './front-metrics.ts'
import { KafkaIntake } from './request-intake.ts'
import type { ServedApi } from './served-api.ts'

/** The ACLs of the moment a request comes are those it is asked about. */
function accessFor({ broker, settings }: FrontPorts): { readonly accessOf?: (connection: ConnectionFacts) => Access } {
  const { aclPolicy: policy } = settings
  if (policy === undefined) return {}
  const topics = {
    nameOf: (id: string) => broker.topicById(topicId(id))?.name,
    exists: (name: string) => broker.topicByName(name) !== undefined,
    names: () => [...broker.topics()].map(({ name }) => name),
  }
  return {
    accessOf: ({ authentication, remoteHost }) =>
      new Access({ acls: broker.acls.set, policy }, { principal: authentication.principal, host: remoteHost }, topics),
  }
}

export class KafkaFront {
  readonly #listener: KafkaListener
  readonly #metrics: readonly MetricSource[]
  constructor(ports: FrontPorts) {
    const { settings, limits, clock, log } = ports
    assertLimits(limits)
    const security = ports.security ?? noSecurity
    const served = new Map<number, ServedApi>()
    const all = (): Iterable<ServedApi> => served.values()
    const throttles = new ClientThrottles(ports.broker.quotas.set, limits.quotas, clock)
    const connectionRates = new ConnectionRates(ports.broker.quotas.set, limits.quotas, clock)
    const { apis, fetchSessions } = servedApis({ ...ports, throttles }, all)
    for (const api of apis) served.set(api.entry.key, api)
    const intake = new KafkaIntake({ served, versionFallback: versionFallback(all), throttles, clock, log, ...accessFor(ports) })
    const whenAllowed =
      ports.whenAllowed ??
      ((flush: () => void): void => {
        flush()
      })
    this.#listener = new KafkaListener({
      listeners: settings.listeners,
      security: { tls: security.tls, authentication: () => saslAuthentication(security, limits.listener, clock) },
      limits: limits.listener,
      caps: () => connectionCapsOf(ports.broker, limits.listener.connectionsMax),
      intake,
      connectionRates,
      clock,
      log,
      whenAllowed,
    })
    this.#metrics = frontMetrics({ listener: this.#listener, intake, fetchSessions, throttles, connectionRates })
  }

  /** The addresses its listeners are bound to. Without an advertised address in the settings, clients are told these. */
  start(): Promise<readonly BoundAddress[]> {
    return this.#listener.start()
  }

  /**
   * Answers what has been asked and closes; long polls are answered at once. Returns within `drainMs` and `lingerMs`. `at-once` answers
   * nobody.
   */
  close(how: 'drained' | 'at-once' = 'drained'): Promise<void> {
    return this.#listener.close(how)
  }

  metricSources(): readonly MetricSource[] {
    return this.#metrics
  }
}
