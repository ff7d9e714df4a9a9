// Owns cutting a stream into frames, each behind its length. Not what is in them (wire.ts).

/** A peer says that a frame is longer than any may be. */
export class FrameTooLong extends Error {
  constructor(bytes: number, bytesMax: number) {
    super(`a frame of ${bytes} bytes; the longest has ${bytesMax}`)
  }
}

const lengthBytes = 4

export class FrameReader {
  /** Of a frame; narrower while it is not known who is speaking. */
  bytesMax: number
  /** What came and is not a whole frame yet; the first with the length, if it is whole. */
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The frames that are whole now, without their lengths, as views of what came. Throws `FrameTooLong`; nothing may be pushed then. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    const frames: Uint8Array[] = []
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame)
    return frames
  }

  #next(): Uint8Array | undefined {
    if (this.#bytes < lengthBytes) return undefined
    const head = this.#joined(lengthBytes)
    const length = new DataView(head.buffer, head.byteOffset, lengthBytes).getUint32(0)
    if (length > this.bytesMax) throw new FrameTooLong(length, this.bytesMax)
    if (this.#bytes < lengthBytes + length) return undefined
    const whole = this.#joined(lengthBytes + length)
    const rest = whole.subarray(lengthBytes + length)
    if (rest.length > 0) this.#parts[0] = rest
    else this.#parts.shift()
    this.#bytes -= lengthBytes + length
    return whole.subarray(lengthBytes, lengthBytes + length)
  }

  /** The first part, joined with as many behind it as hold so many bytes. A frame of many parts is copied once, when it is whole. */
  #joined(bytes: number): Uint8Array {
    const first = this.#parts[0]!
    if (first.length >= bytes) return first
    let count = 1
    for (let sum = first.length; sum < bytes; count += 1) sum += this.#parts[count]!.length
    const joined = new Uint8Array(Buffer.concat(this.#parts.slice(0, count)))
    this.#parts.splice(0, count, joined)
    return joined
  }
}
