// Owns what a child process does with a local store in the tests of crashes and races. Run as a bundle: `child <dir> <role> <id>`.

import { join } from 'node:path'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import { openLocalStore } from '../../../tiers/object-store/local.ts'
import { ProcessLock, Signs } from '../../../tiers/object-store/local-lock.ts'

const [dir = '', role = '', id = ''] = process.argv.slice(2)

const tell = (line: string): void => void process.stdout.write(`${line}\n`)
const never = (): Promise<never> =>
  new Promise(() => {
    // An open timer keeps the process alive.
    setInterval(() => undefined, 60_000)
  })

/** Every byte tells the number: a mixture would show. */
const bodyOf = (n: number): Uint8Array[] => Array.from({ length: 16 }, () => Buffer.alloc(64 * 1024, n % 251))

async function write(): Promise<void> {
  const store = await openLocalStore({ dir })
  for (let n = 0; ; n += 1) {
    await Promise.all([store.putIfAbsent(`w/${id}/${n}`, bodyOf(n)), store.put(`latest/${id}`, bodyOf(n))])
    tell(String(n))
  }
}

async function raise(): Promise<void> {
  const store = await openLocalStore({ dir })
  for (let step = 0; step < 40;) {
    const { etag } = await store.head('counter')
    const value = Number(Buffer.from(await store.get('counter')).toString())
    if ((await store.putIfMatch('counter', [Buffer.from(String(value + 1))], etag)).kind === 'replaced') step += 1
  }
  await store.close()
}

async function create(): Promise<void> {
  const store = await openLocalStore({ dir })
  tell('ready')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  for (let n = 0; n < 150; n += 1) {
    if ((await store.putIfAbsent(`race/${n}`, [Buffer.from(id)])).kind === 'created') tell(String(n))
  }
  await store.close()
  process.exit(0)
}

async function upload(): Promise<void> {
  const store = await openLocalStore({ dir })
  async function* parts(): AsyncIterable<Uint8Array> {
    yield Buffer.alloc(1024 * 1024, 1)
    tell('half')
    await new Promise((resolve) => process.stdin.once('data', resolve))
    yield Buffer.alloc(1024 * 1024, 2)
  }
  tell((await store.putMultipart('upload', parts())).kind)
  await store.close()
  process.exit(0)
}

async function hold(): Promise<void> {
  const lock = new ProcessLock(await Signs.open(join(dir, '.chronik', 'lock'), systemIdSource))
  await lock.run(() => {
    tell('held')
    return never()
  })
}

const roles: Readonly<Record<string, () => Promise<void>>> = { write, raise, create, upload, hold }
await roles[role]!()
