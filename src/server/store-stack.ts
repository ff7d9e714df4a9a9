// Owns the shape of the bucket as a node uses it: the store with its wrappers, and what they count. Not how it is put together
// (wiring.ts).

import type { BoundedStore, MeteredStore } from '../../tiers/object-store/index.ts'
import type { ObjectStore } from '../../tiers/ports.ts'

export interface StoreStack {
  /** Bounded, retried, metered: what everything uses. */
  readonly store: ObjectStore
  readonly metered: MeteredStore
  readonly bounded: BoundedStore
  retries: number
}
