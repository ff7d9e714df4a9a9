// Owns the process: the real console, signals, files and log behind the command line, and the exit code. Runs when it is loaded.

import { readFile } from 'node:fs/promises'
import { onFatal, onStopSignal } from '../base/node/process-signals.ts'
import { LogLevels } from '../base/log-levels.ts'
import { levelNamed, pinoLog } from '../base/node/pino-log.ts'
import { holdProcess, systemClock } from '../base/node/system-clock.ts'
import { exitCodes } from './exit-codes.ts'
import { runCommandLine } from './program.ts'
import { engines } from './wired.ts'

/** Put in by the build. */
declare const chronikBuildVersion: string

/** Sockets kept alive by an SDK would hold the process; after this it ends whatever is left. */
const lingerMs = 2000

const error = (text: string): void => {
  process.stderr.write(text)
}

process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  // Who read our output has seen enough (`chronik bucket ls | head`).
  if (cause.code === 'EPIPE') process.exit(exitCodes.done)
  throw cause
})
onFatal((report) => {
  error(`chronik: a bug in Chronik ended this process; please report it with these lines\n${report}\n`)
  process.exit(exitCodes.bug)
})

const letGo = holdProcess()
const exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  env: process.env,
  version: chronikBuildVersion,
  console: {
    isTerminal: process.stderr.isTTY && process.stdout.isTTY,
    out: (text) => {
      process.stdout.write(text)
    },
    error,
  },
  readFile,
  onStopSignal,
  abandon: (code) => process.exit(code),
  openLog: ({ level, format }) => {
    const levels = new LogLevels(levelNamed(level))
    return { log: pinoLog({ levels, format, write: error }), levels }
  },
  engines,
})
letGo()
process.exitCode = exitCode
systemClock.after(lingerMs, () => process.exit(exitCode))
