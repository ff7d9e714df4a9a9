// Owns one idempotent producer on one partition, step by step, for drills that look at single answers. The load (load.ts) never stops.

import { batchOf, newProducerId, produce, type ProduceVerdict, send } from './requests.ts'
import { Wire } from './wire.ts'

export class Writer {
  readonly #port: number
  readonly #topic: string
  readonly #bytes: number
  #wire: Wire | undefined
  #identity: { readonly producerId: number; readonly producerEpoch: number } | undefined
  /** Batches of one record each that were acknowledged; the next has this number, as sequence and in its value. */
  count = 0

  constructor(port: number, topic: string, bytes = 100) {
    this.#port = port
    this.#topic = topic
    this.#bytes = bytes
  }

  static value(topic: string, number: number, bytes: number): Buffer {
    return Buffer.concat([Buffer.from(`${topic}:${number}|`), Buffer.alloc(bytes, 65 + (number % 26))])
  }

  /** Sends the next batch, or the same again after an answer that was no acknowledgement. */
  async write(timeoutMs = 30_000): Promise<ProduceVerdict> {
    if (this.#wire === undefined || this.#wire.isClosed) this.#wire = await Wire.connect(this.#port)
    this.#identity ??= await newProducerId(this.#wire)
    const values = [Writer.value(this.#topic, this.count, this.#bytes)]
    const records = batchOf({ values, timestampMs: Date.now(), ...this.#identity, baseSequence: this.count })
    const verdict = await send(this.#wire, produce(this.#topic, 0, records, timeoutMs))
    if (verdict.errorCode === 0) this.count += 1
    return verdict
  }

  /** What is wrong with what was read, if anything. */
  compare(records: ReadonlyArray<{ readonly offset: number; readonly value: Buffer }>): readonly string[] {
    const wrong = records.flatMap(({ offset, value }, number) =>
      offset === number && value.equals(Writer.value(this.#topic, number, this.#bytes)) ? [] : [`${this.#topic} at ${offset}`],
    )
    return records.length === this.count ? wrong : [...wrong, `${records.length} records instead of ${this.count}`]
  }

  close(): void {
    this.#wire?.close()
  }
}
