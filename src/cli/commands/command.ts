// Owns what all commands share: options of their own, settings from file, environment and flags, and how an end is told.

import type { Command } from 'commander'
import { OpError } from '../../base/op-error.ts'
import { exitCodes } from '../exit-codes.ts'
import type { World } from '../ports.ts'
import { type LoadedSettings, type SettingsFile, describeProblem, loadSettings, settingsHelp } from '../settings/index.ts'

export interface CommonOptions {
  readonly json?: true
  readonly config?: string
}

/** Registers one command; `finish` is told its exit code. */
export type Register = (parent: Command, world: World, finish: (exitCode: number) => void) => void

/** A command that takes settings: what is no option of its own is a setting's flag, and checked as one. */
export function settingsCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--config <file>', 'TOML file of settings (or CHRONIK_CONFIG)')
    .option('--json', 'one JSON document on standard output')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', () => `\n${settingsHelp()}`)
}

/** `what` names the file for the person who named it to us. */
export async function readInput(world: World, path: string, what: string): Promise<Uint8Array> {
  try {
    return await world.readFile(path)
  } catch (cause) {
    throw new OpError('invalid', { code: 'UNREADABLE', detail: `${what} ${path} cannot be read; name one that can`, cause })
  }
}

async function readConfiguration(world: World, path: string): Promise<SettingsFile> {
  return { path, text: new TextDecoder().decode(await readInput(world, path, 'the configuration file')) }
}

/** The settings, or undefined after every problem was told on standard error. */
export async function settingsFor(world: World, command: Command): Promise<LoadedSettings | undefined> {
  const path = command.opts<CommonOptions>().config ?? world.env['CHRONIK_CONFIG']
  const file = path === undefined || path === '' ? undefined : await readConfiguration(world, path)
  const loaded = loadSettings({ file, env: world.env, argv: command.args })
  if (loaded.ok) return loaded.value
  for (const problem of loaded.failure) world.console.error(`chronik: ${describeProblem(problem)}\n`)
  return undefined
}

/** The exit code an error ends a command with, told on standard error. */
export function endBy(error: unknown, world: World): number {
  if (!(error instanceof OpError)) {
    const report = error instanceof Error ? (error.stack ?? error.message) : String(error)
    world.console.error(`chronik: a bug in Chronik ended this command; please report it with these lines\n${report}\n`)
    return exitCodes.bug
  }
  world.console.error(`chronik: ${error.message}\n`)
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) world.console.error(`  because: ${cause.message}\n`)
  if (error.kind === 'invalid') return exitCodes.usage
  return error.kind === 'corrupt' ? exitCodes.difference : exitCodes.world
}
