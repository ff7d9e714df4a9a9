// Owns running the contract of an object store against the one in memory.

import { systemClock } from '../../../src/base/node/system-clock.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { describeObjectStore } from './suite.ts'

describeObjectStore('memory', {
  start: async () => {
    const store = memoryStore({ clock: systemClock })
    return { store, other: store, stop: () => store.close() }
  },
})
