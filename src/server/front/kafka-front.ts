// Owns the Kafka side of the server as one thing: listener, registry and intake put together, started and closed. Does not own the
// broker it asks.

import { versionFallback } from '../handlers/api-versions.ts'
import { servedApis } from '../handlers/registry.ts'
import { assertLimits } from '../limits.ts'
import { type BoundAddress, KafkaListener } from '../listener/kafka-listener.ts'
import type { AdvertisedAddress, FrontPorts, HandlerPorts } from '../ports.ts'
import type { MetricSource } from '../http/metric-source.ts'
import { frontMetrics } from './front-metrics.ts'
import { KafkaIntake } from './request-intake.ts'
import type { ServedApi } from './served-api.ts'

export class KafkaFront {
  readonly #listener: KafkaListener
  readonly #metrics: readonly MetricSource[]
  #advertised: AdvertisedAddress

  constructor(ports: FrontPorts) {
    const { settings, limits, clock, log } = ports
    assertLimits(limits)
    this.#advertised = settings.advertised ?? { host: settings.host, port: settings.port }
    const handlerPorts: HandlerPorts = { ...ports, advertised: () => this.#advertised }
    const served = new Map<number, ServedApi>()
    const all = (): Iterable<ServedApi> => served.values()
    const { apis, fetchSessions } = servedApis(handlerPorts, all)
    for (const api of apis) served.set(api.entry.key, api)
    const intake = new KafkaIntake({ served, versionFallback: versionFallback(all), clock, log })
    const { host, port } = settings
    const whenAllowed =
      ports.whenAllowed ??
      ((flush: () => void): void => {
        flush()
      })
    this.#listener = new KafkaListener({ host, port, limits: limits.listener, intake, clock, log, whenAllowed })
    this.#metrics = frontMetrics({ listener: this.#listener, intake, fetchSessions })
  }

  /** The address it is bound to. Without an advertised address in the settings, clients are told this one. */
  async start(): Promise<BoundAddress> {
    const bound = await this.#listener.start()
    if (this.#advertised.port === 0) this.#advertised = { host: this.#advertised.host, port: bound.port }
    return bound
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
