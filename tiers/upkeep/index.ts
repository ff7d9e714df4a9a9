// The door of upkeep.

export { Sweeper, type SweeperOptions, type SweepPorts, type SweepReport } from './sweeper.ts'
