/**
 * Owns measuring Raft's transports beside each other: two processes, a link, and loads as Raft makes them; TCP and gRPC in turn, each round in new
 * processes. Not what a cluster makes of them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort } from '../../../localstack/index.ts'
import type { EndOrder, Kind, Load, LoadResult } from './end.ts'

const help = `usage: npm run bench -- transport [options]

Raft's transports beside each other, TCP (the default) and gRPC, in turn: two processes on this machine and one link between them.

options
  --rounds N   default 5
  --quick      a tenth of the load
  --json       one JSON object on standard output
  --help
`

/** Whole multiples of what is acknowledged together, a tenth of a tenth too. */
const loads: readonly Load[] = [
  { name: 'one at a time', frames: 5_000, depth: 1, payloadBytes: 0 },
  { name: 'small frames, 250 in flight', frames: 100_000, depth: 250, payloadBytes: 0 },
  { name: 'appends of 1 KiB, 250 in flight', frames: 50_000, depth: 250, payloadBytes: 1024 },
  { name: 'appends of 64 KiB, 40 in flight', frames: 8_000, depth: 40, payloadBytes: 64 * 1024 },
]

interface Figures {
  readonly framesPerSecond: number
  readonly mibPerSecond: number
  /** Of both ends, per frame. */
  readonly cpuUs: number
  readonly p50Us: number
  readonly p99Us: number
}

class End {
  readonly #child: ChildProcess

  constructor(order: EndOrder) {
    const program = join(resolve('.'), 'test/bench/transport/end-process.mjs')
    this.#child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  next(): Promise<unknown> {
    return new Promise((settle, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`an end of the link ended with ${code}`))
      this.#child.once('exit', onExit)
      this.#child.once('message', (told) => {
        this.#child.off('exit', onExit)
        settle(told)
      })
    })
  }

  ask(what: object): Promise<unknown> {
    const answer = this.next()
    this.#child.send(what)
    return answer
  }

  close(): void {
    this.#child.removeAllListeners('exit')
    this.#child.kill('SIGKILL')
  }
}

async function measure(kind: Kind, scaled: readonly Load[]): Promise<ReadonlyMap<string, Figures>> {
  const ports = [await freePort(), await freePort()] as const
  const ends = [new End({ kind, id: 1, ports }), new End({ kind, id: 2, ports })] as const
  const [sender, taker] = ends
  try {
    await Promise.all(ends.map((end) => end.next()))
    const found = new Map<string, Figures>()
    for (const load of scaled) {
      await taker.ask({ ask: 'every', load })
      // What is compiled while it runs is not what is to be measured.
      await sender.ask({ ask: 'run', load: { ...load, frames: load.frames / 10 } })
      const before = (await taker.ask({ ask: 'cpu' })) as { readonly cpuUs: number }
      const { elapsedMs, cpuUs, roundTripsUs } = (await sender.ask({ ask: 'run', load })) as LoadResult
      const after = (await taker.ask({ ask: 'cpu' })) as { readonly cpuUs: number }
      const at = (fraction: number): number => roundTripsUs[Math.floor(fraction * (roundTripsUs.length - 1))] ?? 0
      found.set(load.name, {
        framesPerSecond: (load.frames / elapsedMs) * 1000,
        mibPerSecond: (load.frames * load.payloadBytes) / elapsedMs / 1048.576,
        cpuUs: (cpuUs + after.cpuUs - before.cpuUs) / load.frames,
        p50Us: at(0.5),
        p99Us: at(0.99),
      })
    }
    return found
  } finally {
    for (const end of ends) end.close()
  }
}

const sorted = (values: readonly number[]): number[] => [...values].sort((left, right) => left - right)
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? 0
const shown = (value: number): string => (value >= 100 ? String(Math.round(value)) : value.toPrecision(3))
const spread = (values: readonly number[]): string =>
  `${shown(median(values))} (${shown(Math.min(...values))}–${shown(Math.max(...values))})`

export async function main(argv: readonly string[]): Promise<number> {
  let values
  try {
    const flag = { type: 'boolean' } as const
    values = parseArgs({ args: [...argv], options: { rounds: { type: 'string' }, quick: flag, json: flag, help: flag } }).values
  } catch (cause) {
    process.stderr.write(`bench transport: ${(cause as Error).message}; --help tells what there is\n`)
    return 2
  }
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const rounds = Number(values.rounds ?? 5)
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    process.stderr.write('bench transport: --rounds is a whole number from 1 on\n')
    return 2
  }
  const scaled = values.quick === true ? loads.map((load) => ({ ...load, frames: load.frames / 10 })) : loads
  const found: Record<Kind, Array<ReadonlyMap<string, Figures>>> = { tcp: [], grpc: [] }
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of round % 2 === 0 ? (['tcp', 'grpc'] as const) : (['grpc', 'tcp'] as const)) {
      if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds}, ${kind}\x1b[K`)
      found[kind].push(await measure(kind, scaled))
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const of = (kind: Kind, load: string, what: keyof Figures): number[] => found[kind].map((one) => one.get(load)![what])
  if (values.json === true) {
    const plain = (kind: Kind) => found[kind].map((one) => Object.fromEntries(one))
    process.stdout.write(`${JSON.stringify({ rounds, tcp: plain('tcp'), grpc: plain('grpc') })}\n`)
    return 0
  }
  const whats = {
    framesPerSecond: 'frames/s',
    mibPerSecond: 'MiB/s',
    cpuUs: 'CPU µs a frame',
    p50Us: 'p50 µs',
    p99Us: 'p99 µs',
  } as const
  for (const { name, payloadBytes } of scaled) {
    process.stdout.write(`${name}\n`)
    for (const [what, title] of Object.entries(whats) as Array<[keyof Figures, string]>) {
      if (what === 'mibPerSecond' && payloadBytes === 0) continue
      const [tcp, grpc] = [of('tcp', name, what), of('grpc', name, what)]
      const ratio = median(grpc) / median(tcp)
      process.stdout.write(
        `  ${title.padEnd(16)} TCP ${spread(tcp).padEnd(26)} gRPC ${spread(grpc).padEnd(26)} ratio ${ratio.toFixed(2)}\n`,
      )
    }
  }
  return 0
}
