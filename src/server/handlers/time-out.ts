// Owns the time a client gives the broker for a change: after it the client gets an answer, and the change goes on. Not the change.

import type { Clock } from '../../base/clock.ts'

/** What `work` comes to, or `late()` when that takes longer than `timeoutMs`. */
export function within<Result>(clock: Clock, timeoutMs: number, work: Promise<Result>, late: () => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(Math.max(0, timeoutMs), () => {
      resolve(late())
    })
    work.then(resolve, reject).finally(cancel).catch(reject)
  })
}
