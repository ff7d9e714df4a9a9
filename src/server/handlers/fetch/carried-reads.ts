// Owns reads from the WAL file or the bucket that were still under way when their fetch was answered without them: the next fetch
// of the same connection for the same place takes them up instead of starting again. So archived reads never hold up hot ones,
// and hot ones never starve archived reads.

import { AssertionFailed } from '../../../base/assert.ts'
import { ErrorCode } from '../../../protocol/index.ts'
import type { PartitionView, ReadResult } from '../../ports.ts'

export class PendingRead {
  readonly offset: number
  /** The bytes the read may bring, held back from the answer's limit. */
  readonly maxBytes: number
  readonly committedOnly: boolean
  result: ReadResult | undefined = undefined
  onResult: (() => void) | undefined = undefined

  constructor(
    read: Promise<ReadResult>,
    asked: { readonly offset: number; readonly maxBytes: number; readonly committedOnly: boolean },
  ) {
    this.offset = asked.offset
    this.maxBytes = asked.maxBytes
    this.committedOnly = asked.committedOnly
    void read.then(
      (result) => {
        this.#resolve(result)
      },
      (error: unknown) => {
        if (error instanceof AssertionFailed) throw error
        // The broker has logged what happened to the file or the bucket; the client is told to try again.
        const unknown = -1 as ReadResult['logStartOffset']
        this.#resolve({
          kind: 'error',
          errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
          highWatermark: unknown,
          logStartOffset: unknown,
        })
      },
    )
  }

  #resolve(result: ReadResult): void {
    this.result = result
    this.onResult?.()
  }
}

export class CarriedReads {
  readonly #max: number
  readonly #reads = new Map<PartitionView, PendingRead>()

  constructor(max: number) {
    this.#max = max
  }

  /** The read under way or done for exactly this place; one for another place, or of other visibility, is forgotten. */
  take(partition: PartitionView, offset: number, committedOnly: boolean): PendingRead | undefined {
    const read = this.#reads.get(partition)
    if (read === undefined) return undefined
    this.#reads.delete(partition)
    return read.offset === offset && read.committedOnly === committedOnly ? read : undefined
  }

  /** Beyond the maximum the oldest is forgotten; its bytes go to the block cache all the same. */
  put(partition: PartitionView, read: PendingRead): void {
    read.onResult = undefined
    this.#reads.delete(partition)
    this.#reads.set(partition, read)
    if (this.#reads.size <= this.#max) return
    for (const oldest of this.#reads.keys()) {
      this.#reads.delete(oldest)
      return
    }
  }
}
