// Owns the door of the server: what the composition root starts and closes. No logic.

export { type CoordinatorSection, decodeCoordinatorSection } from './coordinator-section.ts'
export { KafkaFront } from './front/kafka-front.ts'
export { HttpFront, type HttpFrontOptions } from './http/http-front.ts'
export { type HistogramSample, type MetricSample, type MetricSource, plainMetric } from './http/metric-source.ts'
export {
  defaultLimits,
  type FetchLimits,
  limitsFor,
  type ListenerLimits,
  type ServerLimits,
  type ServerSettings,
} from './limits.ts'
export type { BoundAddress } from './listener/kafka-listener.ts'
export type { ListenerPlan } from './listener/endpoint.ts'
export type { ClientFacts, FrontPorts, FrontSettings, GroupCoordinator, LogDir } from './ports.ts'
export type { NodeSettings } from './node-settings.ts'
export type { RunningNode } from './node.ts'
export { openStoreStack, startBroker } from './wiring.ts'
