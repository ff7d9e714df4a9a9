// Owns the translation of the file system's errors into OpError, with the remedy. Does not decide what is retried.

import { OpError } from '../../src/base/op-error.ts'

export function errnoOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** True when nothing stands under the path, be it that a folder above is missing or is a file. */
export function isAbsent(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Anything that is no error of the operating system is passed on as it is: it is the caller's own or our bug. */
export function storeError(location: string, cause: unknown): unknown {
  const code = errnoOf(cause)
  if (cause instanceof OpError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return cause
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new OpError('busy', {
        code: 'STORE_FULL',
        detail: `no space is left in ${location}; free some or enlarge the disk`,
        cause,
      })
    case 'EMFILE':
    case 'ENFILE':
      return new OpError('busy', {
        code: 'STORE_BUSY',
        detail: `too many open files for ${location}; raise the limit (ulimit -n)`,
        cause,
      })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new OpError('denied', {
        code: 'STORE_DENIED',
        detail: `the process may not read and write ${location}; grant it`,
        cause,
      })
    case 'ENOENT':
    case 'ENOTDIR':
      return new OpError('internal', {
        code: 'STORE_GONE',
        detail: `folders of ${location} were removed while it is in use; restart on an intact folder`,
        cause,
      })
    case 'EXDEV':
      return new OpError('invalid', {
        code: 'STORE_SPLIT',
        detail: `${location} spans several file systems; mount one at its top only`,
        cause,
      })
    default:
      return new OpError('retry', { code: 'STORE_IO', detail: `${location} failed with ${code}; look at the disk`, cause })
  }
}
