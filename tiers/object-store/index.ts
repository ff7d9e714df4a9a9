// The door of the object-store room: names only. The backends (s3.ts, local.ts, memory.ts) are named by src/server/wiring.ts and
// by tests alone, so that nothing else loads an SDK.

export { type StoreCall, type StoreOperation, storeOperations } from './around.ts'
export { type BoundedStore, type Bounds, boundedStore, boundsLocal, boundsUsual } from './bounded.ts'
export { type Fault, type FaultRule, type FaultyOptions, type FaultyStore, faultyStore, type InjectedFault } from './faulty.ts'
export { checkKey, compareKeys } from './key.ts'
export {
  type MeteredStore,
  meteredStore,
  type OperationCounters,
  type StoreCounters,
  type StoreTotals,
  totalsOf,
} from './metered.ts'
export { prefixedStore } from './prefixed.ts'
export { type ProbeOptions, type ProbeReport, probeConditionalWrites } from './probe.ts'
export { Retrier, retryingStore, type RetryOptions, type RetryPolicy, retryPolicyUsual, type RetryReport } from './retrying.ts'
