// Owns which engines this build has. Each loads when its command runs, so that `chronik version` does not wait for an SDK.

import type { Engines } from './ports.ts'

export const engines: Engines = {}
