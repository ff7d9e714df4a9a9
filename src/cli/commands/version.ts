// Owns `chronik version`.

import { exitCodes } from '../exit-codes.ts'
import type { CommonOptions, Register } from './command.ts'

export const registerVersion: Register = (parent, world, finish) => {
  parent
    .command('version')
    .description('show the version of Chronik')
    .option('--json', 'one JSON document on standard output')
    .action((options: CommonOptions) => {
      world.console.out(options.json === true ? `${JSON.stringify({ version: world.version })}\n` : `chronik ${world.version}\n`)
      finish(exitCodes.done)
    })
}
