// Owns `chronik config`: the settings as they would be used, and where each came from. Secrets are masked.

import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { type CommonOptions, type Register, settingsCommand, settingsFor } from './command.ts'

export const registerConfig: Register = (parent, world, finish) => {
  settingsCommand(parent, 'config', 'show the effective settings and where each came from').action(
    async ({ json }: CommonOptions, command: Command) => {
      const loaded = await settingsFor(world, command)
      if (loaded === undefined) return finish(exitCodes.usage)
      const { effective } = loaded
      if (json === true) {
        const byKey = effective.map(({ key, shown, source }) => [key, { value: shown, source }] as const)
        world.console.out(`${JSON.stringify(Object.fromEntries(byKey), undefined, 2)}\n`)
      } else {
        const width = Math.max(...effective.map(({ key }) => key.length))
        const valueWidth = Math.max(...effective.map(({ shown }) => shown.length))
        for (const { key, shown, source } of effective) {
          world.console.out(`${key.padEnd(width)}  ${shown.padEnd(valueWidth)}  ${source}\n`)
        }
      }
      finish(exitCodes.done)
    },
  )
}
