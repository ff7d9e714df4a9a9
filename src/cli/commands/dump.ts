// Owns `chronik dump`: one WAL file, segment or WAL object, entry by entry. The formats belong to the tiers.

import type { Command } from 'commander'
import { OpError } from '../../base/op-error.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Dump, DumpForm, Engines, World } from '../ports.ts'
import { withStore } from './bucket.ts'
import { type CommonOptions, type Register, readInput, settingsCommand } from './command.ts'

interface Chosen extends CommonOptions {
  readonly file?: string
  readonly key?: string
  readonly records?: boolean
}

const forms: ReadonlyArray<readonly [DumpForm, string]> = [
  ['wal', 'a file of the hot WAL, or its identity.json'],
  ['segment', 'an archived segment'],
  ['object', 'any object of the bucket: WAL object, fence, snapshot, segment, or the record of a life'],
]

async function write(world: World, lines: ReturnType<Dump>, asJson: boolean): Promise<number> {
  for await (const { text, json } of lines) world.console.out(asJson ? `${JSON.stringify(json)}\n` : `${text}\n`)
  return exitCodes.done
}

export function registerDump(dump: NonNullable<Engines['dump']>, open: Engines['openObjectStore']): Register {
  return (parent, world, finish) => {
    const group = parent.command('dump').description('show what is in one file or object, entry by entry')
    for (const [form, what] of forms) {
      const command = settingsCommand(group, form, `show ${what} (with --json one entry a line)`)
      command.option('--file <path>', 'read it from this file').option('--records', 'show every record of every batch')
      if (open !== undefined && form !== 'wal') command.option('--key <key>', 'read it from the bucket the settings name')
      command.action(async ({ file, key, json, records = false }: Chosen, self: Command) => {
        const engine = await dump()
        if (file !== undefined && key === undefined) {
          const lines = engine(form, await readInput(world, file, what), { name: file, records })
          return finish(await write(world, lines, json === true))
        }
        if (key !== undefined && open !== undefined && file === undefined) {
          const fromBucket = withStore(open, world, self, async (store) =>
            write(world, engine(form, await store.get(key), { name: key, records }), json === true),
          )
          return finish(await fromBucket)
        }
        const detail = form === 'wal' ? 'name the file with --file' : 'name the file with --file, or the object with --key'
        throw new OpError('invalid', { code: 'NOTHING_TO_DUMP', detail })
      })
    }
  }
}
