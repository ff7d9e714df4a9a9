// Owns walking the local store's folders in the byte order of keys, reading one folder at a time. Does not write.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ListedObject, ListOptions } from '../ports.ts'
import { compareKeys } from './key.ts'
import { listStatBatch } from './limits.ts'
import { isAbsent } from './local-errors.ts'
import { decodeFile, decodeFolder, folderOfPrefix } from './local-names.ts'

interface Found {
  /** A folder's ends in a slash: then the order of these names is the order of the keys below them. */
  readonly key: string
  readonly path: string
  readonly isFolder: boolean
}

export async function* listFolder(root: string, prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
  let left = options.limit ?? Infinity
  const batch: Found[] = []
  for await (const found of walk(root, prefix, options.startAfter)) {
    if (left <= 0) return
    batch.push(found)
    if (batch.length < Math.min(left, listStatBatch)) continue
    for (const facts of await factsOf(batch.splice(0))) {
      yield facts
      left -= 1
    }
  }
  for (const facts of await factsOf(batch.splice(0, left))) yield facts
}

async function* walk(root: string, prefix: string, startAfter: string | undefined): AsyncIterable<Found> {
  const { folder, base } = folderOfPrefix(prefix)
  const wanted = ({ key, isFolder }: Found): boolean => {
    if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) return false
    if (startAfter === undefined || compareKeys(key, startAfter) > 0) return true
    return isFolder && startAfter.startsWith(key)
  }
  const open = [(await entriesOf(join(root, folder), base)).filter(wanted).reverse()]
  while (open.length > 0) {
    const next = open.at(-1)?.pop()
    if (next === undefined) open.pop()
    else if (next.isFolder) open.push((await entriesOf(next.path, next.key)).filter(wanted).reverse())
    else yield next
  }
}

async function entriesOf(path: string, base: string): Promise<Found[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw error
  })
  const found: Found[] = []
  for (const entry of entries) {
    const isFolder = entry.isDirectory()
    const name = isFolder ? decodeFolder(entry.name) : entry.isFile() ? decodeFile(entry.name) : undefined
    if (name !== undefined) found.push({ key: `${base}${name}${isFolder ? '/' : ''}`, path: join(path, entry.name), isFolder })
  }
  return found.sort((a, b) => compareKeys(a.key, b.key))
}

/** What was deleted since the folder was read is left out. */
async function factsOf(batch: readonly Found[]): Promise<ListedObject[]> {
  const facts = await Promise.all(
    batch.map(async ({ key, path }) => {
      try {
        const { size, mtimeMs } = await stat(path)
        return { key, sizeBytes: size, lastModifiedMs: Math.floor(mtimeMs) }
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
    }),
  )
  return facts.filter((one) => one !== undefined)
}
