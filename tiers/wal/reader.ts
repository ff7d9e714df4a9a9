// Owns reading frames back from files of the WAL: a bounded number of open files, and the checks on what comes back. Not frames that
// are still queued (hot-wal.ts).

import { assertDefined } from '../../src/base/assert.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { TakeMemory } from '../../src/base/scratch.ts'
import type { WalPosition } from '../ports.ts'
import { type Bytes, bytesOf, frameHeaderBytes, frameVerdict, kindAt, payloadLengthAt, walLimits } from './core/index.ts'
import { walFileName } from './file-names.ts'
import type { WalFile, WalFiles } from './ports.ts'

interface Handle {
  readonly file: Promise<WalFile>
  users: number
  dropped: boolean
}

/** Positions that one read fetches, and where its bytes begin and end. */
interface Run {
  readonly file: number
  readonly places: Array<{ readonly position: WalPosition; readonly slot: number }>
  readonly from: number
  to: number
}

export const freshMemory: TakeMemory = (bytes) => Buffer.allocUnsafe(bytes)

export interface ReadOrder {
  readonly positions: readonly WalPosition[]
  /** Which of the positions. */
  readonly slots: readonly number[]
  readonly take: TakeMemory
}

const frameStart = (position: WalPosition): number => position.at - frameHeaderBytes
const frameEnd = (position: WalPosition): number => position.at + position.length

/** Neighbours in one file become one read. */
function planRuns(positions: readonly WalPosition[], slots: readonly number[]): Run[] {
  const places = slots.map((slot) => ({ slot, position: assertDefined(positions[slot], 'a slot names a position') }))
  places.sort((left, right) => left.position.file - right.position.file || left.position.at - right.position.at)
  const runs: Run[] = []
  for (const place of places) {
    const { position } = place
    const last = runs.at(-1)
    const joins =
      last?.file === position.file &&
      frameStart(position) - last.to <= walLimits.readGapBytesMax &&
      frameEnd(position) - last.from <= walLimits.readJoinedBytesMax
    if (last !== undefined && joins) {
      last.places.push(place)
      last.to = Math.max(last.to, frameEnd(position))
    } else runs.push({ file: position.file, places: [place], from: frameStart(position), to: frameEnd(position) })
  }
  return runs
}

export class WalReader {
  readonly #files: WalFiles
  readonly #crc32c: Crc32c
  readonly #handles = new Map<number, Handle>()

  constructor(files: WalFiles, crc32c: Crc32c) {
    this.#files = files
    this.#crc32c = crc32c
  }

  /** Payloads of the positions at `slots` put into `into` under the same slots; few reads for neighbouring frames. */
  async readInto(into: Uint8Array[], order: ReadOrder): Promise<void> {
    // All have ended, also when one failed: the memory is not written to any more.
    const ends = await Promise.allSettled(
      planRuns(order.positions, order.slots).map(async (run) => {
        const bytes = await this.#bytes(run, order.take)
        for (const { position, slot } of run.places) into[slot] = this.#payload(bytes, frameStart(position) - run.from, position)
      }),
    )
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  async read(position: WalPosition): Promise<Uint8Array> {
    const payload: Uint8Array[] = []
    await this.readInto(payload, { positions: [position], slots: [0], take: freshMemory })
    return assertDefined(payload[0], 'a read that succeeded has its payload')
  }

  /** The file is no longer the WAL's: its handle closes after the last reader. */
  drop(file: number): void {
    const handle = this.#handles.get(file)
    if (handle === undefined) return
    this.#handles.delete(file)
    handle.dropped = true
    if (handle.users === 0) closeHandle(handle)
  }

  close(): void {
    for (const file of [...this.#handles.keys()]) this.drop(file)
  }

  #payload(bytes: Bytes, at: number, position: WalPosition): Uint8Array {
    const kind = kindAt(bytes, at)
    const fits = kind !== undefined && kind !== 'commit' && payloadLengthAt(bytes, at) === position.length
    if (!fits || frameVerdict(bytes, at, this.#crc32c) !== 'good') {
      const where = `${walFileName(position.file)} at ${position.at}`
      const detail = `the frame in ${where} (${position.length} bytes) is not what was written; fetch it from the bucket or a peer`
      throw new OpError('corrupt', { code: 'WAL_CORRUPT', detail })
    }
    const payloadAt = at + frameHeaderBytes
    return bytes.array.subarray(payloadAt, payloadAt + position.length)
  }

  async #bytes({ file, from, to }: Run, take: TakeMemory): Promise<Bytes> {
    const handle = this.#handle(file)
    handle.users += 1
    try {
      const opened = await handle.file
      const into = take(to - from)
      const count = await opened.read(into, from)
      // What the file does not have cannot pass for what an earlier buffer held.
      if (count < into.length) into.fill(0, count)
      return bytesOf(into)
    } catch (error) {
      const detail = `cannot read ${walFileName(file)} in ${this.#files.location}; check the disk`
      throw new OpError('internal', { code: 'WAL_READ_FAILED', detail, cause: error })
    } finally {
      handle.users -= 1
      if (handle.dropped && handle.users === 0) closeHandle(handle)
    }
  }

  #handle(file: number): Handle {
    const present = this.#handles.get(file)
    if (present !== undefined) {
      // The map's order is the order of use.
      this.#handles.delete(file)
      this.#handles.set(file, present)
      return present
    }
    const handle: Handle = { file: this.#files.open(walFileName(file), 'read'), users: 0, dropped: false }
    this.#handles.set(file, handle)
    handle.file.catch(() => {
      if (this.#handles.get(file) === handle) this.#handles.delete(file)
    })
    if (this.#handles.size > walLimits.readHandlesMax) {
      const oldest = this.#handles.keys().next().value
      if (oldest !== undefined) this.drop(oldest)
    }
    return handle
  }
}

function closeHandle(handle: Handle): void {
  // Closing a file that was only read loses nothing; one that never opened needs no closing.
  handle.file.then((file) => file.close()).catch(() => undefined)
}
