// Owns `chronik bucket`: looking at a bucket with no broker running. Reads only.

import type { Command } from 'commander'
import { progressOn } from '../../base/node/progress.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Engines, VerifyBucket, World } from '../ports.ts'
import { type CommonOptions, type Register, settingsCommand, settingsFor } from './command.ts'

interface ListingOptions extends CommonOptions {
  readonly prefix?: string
}

type Open = NonNullable<Engines['openObjectStore']>

/** Opens the bucket the settings name, hands it to `use`, and closes it whatever happens. */
export async function withStore(
  open: Open,
  world: World,
  command: Command,
  use: (store: ObjectStore) => Promise<number>,
): Promise<number> {
  const loaded = await settingsFor(world, command)
  if (loaded === undefined) return exitCodes.usage
  const { settings } = loaded
  const { log } = world.openLog({ level: 'warn', format: world.console.isTerminal ? 'text' : 'json' })
  const store = await (await open())(settings, { log, version: world.version })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

async function list(store: ObjectStore, world: World, { prefix = '', json }: ListingOptions): Promise<number> {
  let objects = 0
  let sizeBytes = 0
  for await (const facts of store.list(prefix)) {
    objects += 1
    sizeBytes += facts.sizeBytes
    const size = String(facts.sizeBytes).padStart(12)
    world.console.out(json === true ? `${JSON.stringify(facts)}\n` : `${size}  ${facts.key}\n`)
  }
  if (json !== true) world.console.out(`${objects} objects, ${sizeBytes} bytes in ${store.location}\n`)
  return exitCodes.done
}

interface VerifyingOptions extends CommonOptions {
  readonly shallow?: true
}

async function verify(
  store: ObjectStore,
  world: World,
  engine: VerifyBucket,
  { json, shallow }: VerifyingOptions,
): Promise<number> {
  const progress = progressOn(world.console, 'verifying')
  const { isWhole, lines } = await engine(store, progress.update, { deep: shallow !== true }).finally(progress.end)
  const shown =
    json === true
      ? `${JSON.stringify({ whole: isWhole, findings: lines.map((line) => line.json) })}\n`
      : lines.map(({ text }) => `${text}\n`).join('')
  world.console.out(shown)
  return isWhole ? exitCodes.done : exitCodes.difference
}

export function registerBucket(open: Open, verifyBucket: Engines['verifyBucket']): Register {
  return (parent, world, finish) => {
    const bucket = parent.command('bucket').description('look at a bucket; no broker needed')
    settingsCommand(bucket, 'ls', 'list objects (with --json one a line)')
      .option('--prefix <prefix>', 'only keys that begin so')
      .action(async (options: ListingOptions, command: Command) => {
        finish(await withStore(open, world, command, (store) => list(store, world, options)))
      })
    if (verifyBucket === undefined) return
    settingsCommand(bucket, 'verify', 'prove the bucket whole: every object, checksum and reference')
      .option('--shallow', 'read no data: trust that it is as its index and footers say')
      .action(async (options: VerifyingOptions, command: Command) => {
        const engine = await verifyBucket()
        finish(await withStore(open, world, command, (store) => verify(store, world, engine, options)))
      })
  }
}
