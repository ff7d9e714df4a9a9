// Owns the command line as a whole: which commands there are, how wrong usage is told, and the exit code. Touches the world only
// through `World`: tests run it in process.

import { Command, CommanderError } from 'commander'
import { registerBucket } from './commands/bucket.ts'
import { type Register, endBy } from './commands/command.ts'
import { registerConfig } from './commands/config.ts'
import { registerDump } from './commands/dump.ts'
import { registerStart } from './commands/start.ts'
import { registerVersion } from './commands/version.ts'
import { exitCodes, exitCodesHelp } from './exit-codes.ts'
import type { Engines, World } from './ports.ts'

function commandsOf({ startBroker, openObjectStore, verifyBucket, dump }: Engines): readonly Register[] {
  return [
    ...(startBroker === undefined ? [] : [registerStart(startBroker)]),
    registerConfig,
    ...(openObjectStore === undefined ? [] : [registerBucket(openObjectStore, verifyBucket)]),
    ...(dump === undefined ? [] : [registerDump(dump, openObjectStore)]),
    registerVersion,
  ]
}

/** Before any command is added: subcommands inherit output and exit behaviour when they are made. */
function emptyProgram(world: World): Command {
  return new Command('chronik')
    .description('A Kafka-compatible broker that lives in its bucket.')
    .version(world.version, '--version', 'show the version of Chronik')
    .helpCommand(true)
    .exitOverride()
    .configureOutput({
      writeOut: world.console.out,
      writeErr: world.console.error,
      outputError: (text, write) => {
        write(`chronik: ${text}`)
      },
    })
    .showSuggestionAfterError()
    .addHelpText('after', `\n${exitCodesHelp}`)
}

export async function runCommandLine(world: World): Promise<number> {
  let exitCode: number = exitCodes.done
  const program = emptyProgram(world)
  for (const register of commandsOf(world.engines)) {
    register(program, world, (code) => {
      exitCode = code
    })
  }
  try {
    await program.parseAsync([...world.argv], { from: 'user' })
    return exitCode
  } catch (error) {
    // Help and version come as errors with code 0; help that was shown for lack of a command is wrong usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    return endBy(error, world)
  }
}
