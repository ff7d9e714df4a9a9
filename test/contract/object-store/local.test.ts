// Owns running the contract of an object store against a folder, seen through two stores as by two processes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalStore } from '../../../tiers/object-store/local.ts'
import { describeObjectStore } from './suite.ts'

describeObjectStore('local', {
  start: async () => {
    const dir = mkdtempSync(join(tmpdir(), 'chronik-local-'))
    const store = await openLocalStore({ dir })
    const other = await openLocalStore({ dir })
    const stop = async (): Promise<void> => {
      await store.close()
      await other.close()
      rmSync(dir, { recursive: true })
    }
    return { store, other, stop }
  },
})
