// Owns the small file beside the WAL's that says whose they are: cluster, life, node. Written anew, synced, then renamed over the
// old one, so that it is always whole. Not what follows from it (recovery).

import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { OpError } from '../../src/base/op-error.ts'

const fileName = 'identity.json'

export interface WalOwner {
  readonly clusterId: string
  readonly life: number
  readonly node: number
}

function parse(text: string, path: string): WalOwner {
  let value: Partial<WalOwner>
  try {
    value = JSON.parse(text) as Partial<WalOwner>
  } catch (cause) {
    throw new OpError('corrupt', {
      code: 'WAL_IDENTITY_DAMAGED',
      detail: `${path} is not JSON; restore it, or move the WAL folder away`,
      cause,
    })
  }
  const { clusterId, life, node } = value
  if (typeof clusterId === 'string' && typeof life === 'number' && typeof node === 'number') return { clusterId, life, node }
  throw new OpError('corrupt', {
    code: 'WAL_IDENTITY_DAMAGED',
    detail: `${path} does not name cluster, life and node; restore it, or move the WAL folder away`,
  })
}

/** Undefined when the folder has none yet. */
export async function readWalOwner(dir: string): Promise<WalOwner | undefined> {
  const path = join(dir, fileName)
  try {
    return parse(await readFile(path, 'utf8'), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function writeWalOwner(dir: string, owner: WalOwner): Promise<void> {
  await mkdir(dir, { recursive: true })
  const path = join(dir, fileName)
  const fresh = `${path}.new`
  const file = await open(fresh, 'w')
  try {
    await file.writeFile(`${JSON.stringify(owner)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
