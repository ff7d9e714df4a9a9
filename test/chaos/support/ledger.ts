// Owns what a load knows: which records were sent, which were acknowledged when and at which offset. And the judgement of what is
// read back against it. Knows no broker.

import type { FoundRecord } from './requests.ts'

/** Records of one lane are numbered from 0; the value is made from lane and number alone, so that wrong bytes are seen. */
export function valueOf(lane: string, number: number): Buffer {
  const head = `${lane}:${number}|`
  const padding = String.fromCharCode(97 + (number % 26)).repeat((number * 37) % 400)
  return Buffer.from(head + padding)
}

export interface Acknowledgement {
  readonly offset: number
  /** By the monotonic clock of this process. */
  readonly atMs: number
}

/** One producer on one partition, its numbers ascending. */
export interface LaneRecord {
  readonly lane: string
  readonly topic: string
  readonly partition: number
  readonly acknowledged: Map<number, Acknowledgement>
  /** Numbers below were sent at least once. */
  sent: number
}

export interface LostRecord extends Acknowledgement {
  readonly lane: string
  readonly number: number
}

export interface Judgement {
  /** Breaches, each a sentence; empty is what is wanted. */
  readonly breaches: readonly string[]
  /** Acknowledged and not there. */
  readonly lost: readonly LostRecord[]
  readonly acknowledged: number
  readonly found: number
  /** There though never acknowledged: allowed once. */
  readonly unacknowledged: number
}

/** Judges one partition. `lost` is left to the caller: with an intact disk it must be empty. */
export function judge(where: string, lanes: readonly LaneRecord[], found: readonly FoundRecord[]): Judgement {
  const breaches: string[] = []
  const lost: LostRecord[] = []
  const byLane = new Map(lanes.map((lane) => [lane.lane, lane]))
  const seen = new Map<string, Map<number, number>>(lanes.map(({ lane }) => [lane, new Map()]))
  const last = new Map<string, number>()
  let unacknowledged = 0
  found.forEach(({ offset, value }, position) => {
    const expected = (found[0]?.offset ?? 0) + position
    if (offset !== expected) breaches.push(`${where}: offset ${offset} stands where ${expected} is due`)
    const match = /^([^:|]+):(\d+)\|/.exec(value.toString('latin1'))
    const lane = byLane.get(match?.[1] ?? '')
    if (lane === undefined || match === null) {
      breaches.push(`${where}: offset ${offset} holds what nobody sent`)
      return
    }
    const number = Number(match[2])
    if (!value.equals(valueOf(lane.lane, number))) breaches.push(`${where}: offset ${offset} holds other bytes than were sent`)
    if (number >= lane.sent) breaches.push(`${where}: ${lane.lane}:${number} was never sent`)
    const numbers = seen.get(lane.lane)!
    if (numbers.has(number))
      breaches.push(`${where}: ${lane.lane}:${number} is there twice, at ${numbers.get(number)} and ${offset}`)
    numbers.set(number, offset)
    if (number <= (last.get(lane.lane) ?? -1))
      breaches.push(`${where}: ${lane.lane}:${number} stands behind ${last.get(lane.lane)}`)
    last.set(lane.lane, number)
    const acknowledgement = lane.acknowledged.get(number)
    if (acknowledgement === undefined) unacknowledged += 1
    else if (acknowledgement.offset !== offset)
      breaches.push(`${where}: ${lane.lane}:${number} was acknowledged at ${acknowledgement.offset} and stands at ${offset}`)
  })
  let acknowledged = 0
  for (const lane of lanes) {
    const numbers = seen.get(lane.lane)!
    acknowledged += lane.acknowledged.size
    for (const [number, acknowledgement] of lane.acknowledged)
      if (!numbers.has(number)) lost.push({ lane: lane.lane, number, ...acknowledgement })
  }
  return { breaches, lost, acknowledged, found: found.length, unacknowledged }
}
