// Owns the records of a life in the bucket: claim, opening, heartbeat. JSON, so that a person reads them with any tool.

/** Raised when a reader of today would misread what a writer of tomorrow stored. */
export const lifeFormatVersion = 1

export interface ClaimRecord {
  readonly formatVersion: number
  readonly clusterId: string
  readonly life: number
  /** The life whose bucket this one starts from; 0 for the first. */
  readonly parentLife: number
  /** Tells this claim from another node's for the same life. */
  readonly claimId: string
  readonly claimedBy: string
  readonly claimedAtMs: number
}

/** Where the parent life was cut: objects of a writer below its number count, nothing else. */
export interface WriterCut {
  readonly prefix: string
  readonly sequence: number
}

export interface OpenRecord {
  readonly formatVersion: number
  readonly clusterId: string
  readonly life: number
  readonly state: 'serving' | 'ended'
  readonly parentLife: number
  readonly nodes: readonly number[]
  readonly cuts: readonly WriterCut[]
  readonly openedAtMs: number
  /** For `ended`: the life that ended it before it could serve. */
  readonly endedByLife?: number
}

export interface HeartbeatRecord {
  readonly life: number
  readonly node: number
  /** `closed`: stopped in order, everything is in the bucket. */
  readonly state: 'serving' | 'closed'
  readonly intervalMs: number
  readonly writtenAtMs: number
}

declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string }

export function encodeJson(record: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`)
}

/** Undefined when the bytes are not a JSON object. */
export function decodeJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not JSON: the caller names the object.
    return undefined
  }
}
