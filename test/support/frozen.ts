// Owns frozen bytes: files of hex beside a format's test. A file is added with a new version and never edited; what its bytes mean is
// promised for as long as there are buckets and disks that hold them. FREEZE=1 writes files that are not there yet.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const bytesPerLine = 48

/** `folder` is the test's `import.meta.url`; `now` is what this build writes, frozen when nothing is yet. */
export function frozenBytes(folder: string, name: string, now: Uint8Array): Uint8Array {
  const path = fileURLToPath(new URL(name, folder))
  if (process.env['FREEZE'] === '1' && !existsSync(path)) {
    const hex = Buffer.from(now).toString('hex')
    const lines = hex.match(new RegExp(`.{1,${bytesPerLine * 2}}`, 'g')) ?? []
    writeFileSync(path, `${lines.join('\n')}\n`)
  }
  return Uint8Array.from(Buffer.from(readFileSync(path, 'utf8').replace(/#.*$/gm, '').replace(/\s+/g, ''), 'hex'))
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
