// Owns the WAL's errors: one place for codes and for the sentences that name the remedy.

import { OpError } from '../../src/base/op-error.ts'

export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

export const walFull = (detail: string, cause?: unknown): OpError =>
  new OpError('busy', cause === undefined ? { code: 'WAL_FULL', detail } : { code: 'WAL_FULL', detail, cause })

export const walClosed = (detail: string): OpError => new OpError('closed', { code: 'WAL_CLOSED', detail })

export const walDead = (location: string, cause: unknown): OpError => {
  const detail = `a write or fsync in ${location} failed; its newest file is not trusted any more. Check the disk, then restart the node`
  return new OpError('closed', { code: 'WAL_DEAD', detail, cause })
}
