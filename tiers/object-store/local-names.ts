// Owns how a key becomes a path below the local store's folder, and back. Touches no file.
//
//   key a/b.c/d      -> a/b%2Ec/d.object
//   key a/b.parquet  -> a/b.parquet
//
// An object and a folder may share a name (a, a/b), as in any bucket. So on disk a folder's name never holds a dot and an object's
// file always does: dots in folders are escaped, files without one get the ending `.object`. Names with an ending of their own
// stay as they are, so that other programs find what they expect. The store's own folder begins with a dot: no key leads there.

import { join } from 'node:path'
import { OpError } from '../../src/base/op-error.ts'
import { checkKey } from './key.ts'
import { fileNameBytesMax } from './limits.ts'

/** Below it the store keeps its locks and unfinished files. */
export const ownFolder = '.chronik'

const ending = '.object'

export interface KeyPath {
  /** Relative to the store's folder; '' for the folder itself. */
  readonly folder: string
  readonly file: string
}

export function pathOf(key: string): KeyPath {
  checkKey(key)
  const cut = key.lastIndexOf('/')
  const file = encodeFile(key.slice(cut + 1))
  if (Buffer.byteLength(file) > fileNameBytesMax) refuseLong(key)
  return { folder: cut < 0 ? '' : folderOf(key, key.slice(0, cut)), file }
}

function folderOf(key: string, folders: string): string {
  const names = folders.split('/').map(encodeFolder)
  if (names.some((name) => Buffer.byteLength(name) > fileNameBytesMax)) refuseLong(key)
  return join(...names)
}

/** The folder that holds every key beginning with `prefix`, and the key of that folder with its slash. */
export function folderOfPrefix(prefix: string): { readonly folder: string; readonly base: string } {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const names = base.split('/').slice(0, -1)
  // No key holds such segments: nothing can be below. `.chronik` is the store's own and never decodes.
  return names.includes('') ? { folder: join(ownFolder, 'nothing'), base } : { folder: names.map(encodeFolder).join('/'), base }
}

export function encodeFolder(segment: string): string {
  return segment.replaceAll('%', '%25').replaceAll('.', '%2E')
}

export function encodeFile(segment: string): string {
  const escaped = segment.replaceAll('%', '%25')
  const hasOwnEnding = escaped.lastIndexOf('.') > 0 && !escaped.startsWith('.') && !escaped.endsWith(ending)
  return hasOwnEnding ? escaped : escaped.replaceAll('.', '%2E') + ending
}

/** Undefined for what is none of ours. */
export function decodeFile(name: string): string | undefined {
  const stem = name.endsWith(ending) ? name.slice(0, -ending.length) : name
  const segment = unescapeName(stem)
  return encodeFile(segment) === name ? segment : undefined
}

export function decodeFolder(name: string): string | undefined {
  const segment = unescapeName(name)
  return segment !== '' && encodeFolder(segment) === name ? segment : undefined
}

function unescapeName(name: string): string {
  return name.replaceAll('%2E', '.').replaceAll('%25', '%')
}

function refuseLong(key: string): never {
  throw new OpError('invalid', {
    code: 'KEY_TOO_LONG',
    detail: `a part of the key ${key} is longer than ${fileNameBytesMax} bytes as a file name; shorten what stands between two slashes`,
  })
}
