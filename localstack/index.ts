export { installLocalStack, isLocalStackInstalled, localStackRemedy } from './install.ts'
export { createLocalStackBucket, isLocalStackReady, startLocalStack } from './local-stack.ts'
export type { LocalStack, LocalStackOrder } from './local-stack.ts'
export {
  answers,
  freePort,
  isSameProcessAlive,
  processStartTime,
  run,
  runOrThrow,
  signalGroup,
  startProcess,
  tail,
  waitUntil,
} from './child-process.ts'
export type { CommandOrder, CommandOutcome, Exit, RunningProcess } from './child-process.ts'
export { cacheFolder, installOnce, isInstalled, ToolMissing } from './tool-cache.ts'
