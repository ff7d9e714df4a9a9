// Owns which engines this build has. Each loads when its command runs, so that `chronik version` does not wait for an SDK.

import type { Engines } from './ports.ts'

export const engines: Engines = {
  startBroker: async () => (await import('../server/index.ts')).startBroker,
  openObjectStore: async () => {
    const { openStoreStack } = await import('../server/index.ts')
    return async (settings, { log }) => (await openStoreStack(settings, log)).store
  },
  verifyBucket: async () => (await import('./engines/verify.ts')).verify,
  dump: async () => (await import('./engines/dump.ts')).dump,
}
