/** Owns what the interop tests send and how they compare it with what came back: by a digest of every record, in order. */
import { createHash, randomBytes } from 'node:crypto'

export interface SentRecord {
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [string, Buffer])[]
}

export interface SeenRecord extends SentRecord {
  readonly offset: number
}

export interface RecordTraits {
  /** Keys, values and header values a line of text can carry: for clients that read and write lines. */
  readonly textOnly?: boolean
  readonly withoutHeaders?: boolean
  readonly withoutTombstones?: boolean
}

/** Every third record compresses well, every seventh not at all, some are tombstones (with a key: Python's clients
 * want one of the two), one is larger than a batch. */
export function makeRecords(count: number, partitions: number, salt: string, traits: RecordTraits = {}): SentRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const key = Buffer.from(`${salt}-key-${index % 5}`)
    const headers: [string, Buffer][] =
      traits.withoutHeaders === true || index % 2 === 0
        ? []
        : [
            ['trace', Buffer.from(`${salt}-${index}`)],
            ['kind', traits.textOnly === true ? Buffer.from('text') : randomBytes(8)],
          ]
    return {
      partition: index % partitions,
      key: index % 4 === 0 && traits.textOnly !== true ? null : key,
      value: valueOf(index, salt, traits),
      headers,
    }
  })
}

function valueOf(index: number, salt: string, traits: RecordTraits): Buffer | null {
  if (index % 11 === 10 && index % 4 !== 0 && traits.withoutTombstones !== true && traits.textOnly !== true) return null
  if (traits.textOnly === true) return Buffer.from(`${salt} ${index} ${'wörter '.repeat(index % 3 === 0 ? 200 : 3)}`.trim())
  if (index === 20) return randomBytes(70_000)
  if (index % 7 === 6) return randomBytes(1_500)
  return Buffer.from(`${salt} ${index} ${'abcdefgh'.repeat(index % 3 === 0 ? 500 : 4)}`)
}

/** Lengths stand before contents, so that no two different records look alike; null differs from empty. */
export function digest(record: SentRecord): string {
  const hash = createHash('sha256')
  const add = (part: Buffer | string | null): void => {
    hash.update(part === null ? 'null;' : `${Buffer.byteLength(part)};`)
    if (part !== null) hash.update(part)
  }
  add(record.key)
  add(record.value)
  for (const [name, value] of record.headers) {
    add(name)
    add(value)
  }
  return `${record.partition}:${hash.digest('hex').slice(0, 24)}`
}

/** Digests partition by partition, in the order of sending or of offsets as they arrived. */
export function digestsByPartition(records: readonly SentRecord[]): Record<number, string[]> {
  const byPartition: Record<number, string[]> = {}
  for (const record of records) (byPartition[record.partition] ??= []).push(digest(record))
  return byPartition
}

/** Offsets must rise within a partition in the order of arrival. */
export function offsetsRise(records: readonly SeenRecord[]): boolean {
  const last = new Map<number, number>()
  return records.every(({ partition, offset }) => {
    const rises = offset > (last.get(partition) ?? -1)
    last.set(partition, offset)
    return rises
  })
}
