// Owns what the exit code of every command says. README.md and `chronik --help` tell the same.

export const exitCodes = {
  /** Done; for checks: no difference. */
  done: 0,
  /** A check found a difference, or damage. */
  difference: 1,
  /** Wrong usage or a wrong setting: nothing was begun. */
  usage: 2,
  /** The world failed: a store that does not answer, a port in use, a full disk. */
  world: 3,
  /** A bug of ours; a report of it stands on standard error. */
  bug: 4,
} as const

export const exitCodesHelp =
  'Exit codes: 0 done · 1 a check found a difference · 2 wrong usage or setting · 3 the world failed (store, port, disk) · 4 a bug'
