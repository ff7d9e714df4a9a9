// Owns running the contract of an object store against all wrappers at once around memory, as wiring stacks them, without faults and
// with faults that retrying hides.

import { systemClock } from '../../../src/base/node/system-clock.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import {
  boundedStore,
  boundsUsual,
  type FaultyStore,
  faultyStore,
  meteredStore,
  prefixedStore,
  retryingStore,
} from '../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { describeObjectStore } from './suite.ts'

const policy = { delayMsMin: 0.1, throttledDelayMsMin: 0.2, delayMsMax: 1, attemptsMax: 30 }

function stacked(seed: number): { store: ObjectStore; faults: FaultyStore } {
  const prng = seededPrng(seed)
  const faults = faultyStore(memoryStore({ clock: systemClock }), { clock: systemClock, prng })
  const inner = prefixedStore(meteredStore(faults, systemClock), 'below/a prefix/')
  return { store: boundedStore(retryingStore(inner, { clock: systemClock, prng, policy }), boundsUsual), faults }
}

describeObjectStore('all wrappers around memory', {
  start: async () => {
    const { store } = stacked(1)
    return { store, other: store, stop: () => store.close() }
  },
})

describeObjectStore('all wrappers around memory, one in five calls failing', {
  start: async () => {
    const { store, faults } = stacked(2)
    const operations = [
      'head',
      'get',
      'getRange',
      'getTail',
      'list',
      'put',
      'putIfAbsent',
      'putIfMatch',
      'delete',
      'deleteMany',
    ] as const
    faults.inject({ fault: { kind: 'unreachable' }, operations, probability: 0.1 })
    faults.inject({ fault: { kind: 'throttled' }, operations, probability: 0.1 })
    faults.inject({ fault: { kind: 'lost' }, operations: ['get', 'put', 'delete'], probability: 0.1 })
    return { store, other: store, stop: () => store.close() }
  },
})
