/**
 * Owns putting two brokers side by side: warm-up runs of each, then A B A B …, each run beside an idle opponent. A run is discarded for one
 * reason only, that something else used too much of the machine meanwhile; its result is not looked at.
 */
import { clear, type Contestant, enter, type Ground, type Kind } from './contestant.ts'
import { type Load, type Outcome, settleDisk } from './loads.ts'
import { measure, type Measured, measureStart, touchMemory } from './measure.ts'

export interface DuelOrder {
  readonly ours: Kind
  readonly pairs: number
  readonly otherCpuShareMax: number
  readonly warmUpBytes: number
  readonly ground: Ground
  readonly say: (line: string) => void
}

export interface Side {
  readonly kind: Kind
  readonly runs: readonly Measured[]
  readonly discarded: readonly Measured[]
}

export interface Duel {
  readonly load: string
  readonly bench: string
  readonly ours: Side
  readonly peer: Side
}

interface Seat {
  readonly contestant: Contestant
  readonly kept: Measured[]
  readonly discarded: Measured[]
}

const seats = { ours: 'ours', peer: 'peer' } as const

export async function duel(load: Load, order: DuelOrder): Promise<Duel> {
  for (const seat of Object.values(seats)) clear(seat, order.ground)
  touchMemory(order.ground.bucketDir)
  const open: Contestant[] = []
  try {
    for (const [seat, kind] of [
      [seats.ours, order.ours],
      [seats.peer, load.peer],
    ] as const) {
      open.push(await enter(kind, seat, order.ground, load.secured))
    }
    const [ours, peer] = open.map((contestant): Seat => ({ contestant, kept: [], discarded: [] }))
    if (ours === undefined || peer === undefined) throw new Error('a duel needs two')
    for (const { contestant } of [ours, peer]) {
      await load.prepare?.(contestant)
      await warmUp(load, contestant, order.warmUpBytes)
    }
    await alternate(load, [ours, peer], order)
    return { load: load.name, bench: load.bench, ours: sideOf(ours), peer: sideOf(peer) }
  } finally {
    await Promise.allSettled(open.map((contestant) => contestant.stop()))
    for (const seat of Object.values(seats)) clear(seat, order.ground)
  }
}

/** Slow loads are bound by the disk, not by how warm a JVM is: a bounded time is enough for them. */
const warmUpMsMax = 20_000

async function warmUp(load: Load, contestant: Contestant, bytesWanted: number): Promise<void> {
  const deadline = performance.now() + warmUpMsMax
  let bytes = 0
  for (let turn = 0; turn === 0 || (bytes < bytesWanted && performance.now() < deadline); turn++) {
    bytes += (await load.run(contestant, `bench-warm-up-${turn}`)).payloadBytes
  }
}

async function alternate(load: Load, sides: readonly [Seat, Seat], order: DuelOrder): Promise<void> {
  // A machine that is never quiet must not keep the bench forever: what is missing then shows in the number of runs.
  const attemptsMax = order.pairs * 2
  for (let attempt = 0; attempt < attemptsMax && sides.some((side) => side.kept.length < order.pairs); attempt++) {
    for (const side of sides) {
      await settleDisk()
      const measured = await measure(side.contestant, (): Promise<Outcome> => load.run(side.contestant, `bench-${attempt}`))
      const disturbed = measured.otherCpuShare > order.otherCpuShareMax
      const list = disturbed ? side.discarded : side.kept
      list.push(measured)
      order.say(`${load.name} · ${side.contestant.kind} · ${summary(measured)}${disturbed ? ' · disturbed, discarded' : ''}`)
    }
  }
}

const summary = ({ figures, otherCpuShare }: Measured): string =>
  [
    ...Object.entries(figures).map(([name, value]) => `${name} ${round(value)}`),
    `other CPU ${Math.round(otherCpuShare * 100)} %`,
  ].join(' ')

const sideOf = ({ contestant, kept, discarded }: Seat): Side => ({ kind: contestant.kind, runs: kept, discarded })

/** From spawn to the listening port, on a folder that has been used before: the first start makes it, and is not measured. */
export async function startDuel(order: DuelOrder): Promise<Duel> {
  const name = 'start to listening port'
  const sides = [
    { kind: order.ours, seat: seats.ours, kept: [] as Measured[], discarded: [] as Measured[] },
    { kind: 'kafka' as Kind, seat: seats.peer, kept: [] as Measured[], discarded: [] as Measured[] },
  ] as const
  for (const seat of Object.values(seats)) clear(seat, order.ground)
  try {
    for (let turn = 0; turn <= order.pairs * 2 && sides.some((side) => side.kept.length < order.pairs); turn++) {
      for (const side of sides) {
        await settleDisk()
        const { contestant, measured } = await measureStart(() => enter(side.kind, side.seat, order.ground))
        await contestant.stop()
        const disturbed = measured.otherCpuShare > order.otherCpuShareMax
        if (turn > 0) (disturbed ? side.discarded : side.kept).push(measured)
        order.say(
          `${name} · ${side.kind} · ${summary(measured)}${turn === 0 ? ' · warm-up' : disturbed ? ' · disturbed, discarded' : ''}`,
        )
      }
    }
  } finally {
    for (const seat of Object.values(seats)) clear(seat, order.ground)
  }
  const [ours, peer] = sides.map(({ kind, kept, discarded }): Side => ({ kind, runs: kept, discarded }))
  if (ours === undefined || peer === undefined) throw new Error('a duel needs two')
  return { load: name, bench: 'start', ours, peer }
}

export const round = (value: number): number => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))
