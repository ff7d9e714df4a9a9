// The door of the object-store room: names only. The backends (s3.ts, local.ts, memory.ts) are named by src/server/wiring.ts and
// by tests alone, so that nothing else loads an SDK.

export { checkKey, compareKeys } from './key.ts'
