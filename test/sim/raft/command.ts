/** Owns running many seeds on all cores, making a failing one smaller, and what is told of them; and whether planted faults are found. */
import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { mutants } from './mutants.mjs'
import { type Profile, profiles, type RunResult } from './simulation.ts'

const help = `usage: node test/sim/raft/run.mjs [options]

Runs Raft's real core, driver and WAL under seeded schedules of faults (partitions, loss, delay, duplication, reordering, crashes that lose
unsynced bytes, torn writes, slow disks, pauses, clocks of different rates, transfers, changes of membership), with every invariant
asserted after every event. A failing seed is made smaller and its schedule printed.

options
  --seeds N       how many; default 200
  --from SEED     the first; default 1
  --profile NAME  ${profiles.join(' | ')}; default: each seed its own
  --mutants       plants faults in the source, one at a time, and tells after how many of the seeds each was found
  --only TEXT     only planted faults whose name contains it
  --jobs N        processes; default the number of cores
  --json          one JSON object on standard output
  --help
exit codes: 0 all passed (all faults found) · 1 some failed · 2 wrong usage
`

const worker = join(resolve('.'), 'test/sim/raft/worker.mjs')

interface Order {
  readonly from: number
  readonly end: number
  readonly step: number
  readonly profile?: string
  readonly mutant?: string
  readonly untilBreach?: boolean
  readonly without?: readonly number[]
}

/** One process. Whoever wants it to end early kills it. */
function run(order: Order, onResult: (result: RunResult) => void, children?: Set<ChildProcess>): Promise<void> {
  const child = spawn(process.execPath, [worker, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] })
  children?.add(child)
  createInterface({ input: child.stdout }).on('line', (line) => onResult(JSON.parse(line) as RunResult))
  return new Promise((settle, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0 || child.killed) settle()
      else reject(new Error(`a process of the simulation ended with ${code}`))
    })
  })
}

const tellsProgress = process.stderr.isTTY
const progress = (text: string): void => {
  if (tellsProgress) process.stderr.write(`\r${text}\x1b[K`)
}

interface Given {
  readonly from: number
  readonly seeds: number
  readonly jobs: number
  readonly profile: string | undefined
  readonly json: boolean
}

const orders = ({ from, seeds, jobs, profile }: Given, more: Partial<Order> = {}): Order[] =>
  Array.from({ length: Math.min(jobs, seeds) }, (_, at) => ({
    from: from + at,
    end: from + seeds,
    step: Math.min(jobs, seeds),
    ...(profile === undefined ? {} : { profile }),
    ...more,
  }))

async function runSeeds(given: Given): Promise<number> {
  const counts: Record<string, number> = {}
  const failed: RunResult[] = []
  const healedMs: number[] = []
  let done = 0
  let events = 0
  const take = (result: RunResult): void => {
    done += 1
    events += result.events
    if (result.healedMs !== undefined) healedMs.push(result.healedMs)
    for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count
    if (result.breach !== undefined) failed.push(result)
    progress(`${done} of ${given.seeds} seeds, ${failed.length} failed`)
  }
  await Promise.all(orders(given).map((order) => run(order, take)))
  progress('')
  failed.sort((left, right) => left.seed - right.seed)
  healedMs.sort((left, right) => left - right)
  const smallest = failed[0] === undefined ? undefined : await smaller(failed[0])
  const healed = { medianMs: healedMs[healedMs.length >> 1] ?? null, maxMs: healedMs.at(-1) ?? null }
  if (given.json)
    process.stdout.write(`${JSON.stringify({ passed: done - failed.length, failed, smallest, counts, events, healed })}\n`)
  else {
    for (const { seed, profile, breach } of failed)
      process.stdout.write(`seed ${seed} (${profile}) at ${breach!.atMs} ms: ${breach!.detail}\n`)
    if (smallest !== undefined)
      process.stdout.write(`seed ${smallest.seed}, with as few faults as found:\n${smallest.schedule.join('\n')}\n`)
    const met = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
    process.stdout.write(`${events} events; ${met.sort().join(', ')}\n`)
    process.stdout.write(
      `after the last fault every group took something new within ${healed.maxMs} ms (median ${healed.medianMs})\n`,
    )
    process.stdout.write(`${done - failed.length} passed, ${failed.length} failed\n`)
  }
  return failed.length === 0 ? 0 : 1
}

const numberOf = (line: string): number => Number(/^#(\d+)/.exec(line)?.[1])

/** Leaves out as many faults as it can while the same invariant breaks: halves first, then smaller pieces. */
async function smaller(failing: RunResult): Promise<RunResult> {
  let best = failing
  const without = new Set<number>()
  for (let pieces = 2; pieces <= 2 * best.schedule.length; pieces *= 2) {
    const faults = best.schedule.map(numberOf)
    const size = Math.ceil(faults.length / pieces)
    for (let at = 0; at < faults.length; at += size) {
      const piece = faults.slice(at, at + size).filter((fault) => best.schedule.some((line) => numberOf(line) === fault))
      if (piece.length === 0) continue
      const order = {
        from: failing.seed,
        end: failing.seed + 1,
        step: 1,
        profile: failing.profile,
        without: [...without, ...piece],
      }
      let tried: RunResult | undefined
      await run(order, (result) => {
        tried = result
      })
      if (tried?.breach?.invariant !== failing.breach?.invariant) continue
      for (const fault of piece) without.add(fault)
      best = tried!
    }
  }
  return best
}

async function runMutants(given: Given, only: string | undefined): Promise<number> {
  const found: Record<string, { readonly seeds: number; readonly by: string } | null> = {}
  const chosen = mutants.filter(({ name }) => only === undefined || name.includes(only))
  for (const { name, profile } of chosen) {
    progress(`${name} …`)
    let seeds = 0
    let by: string | undefined
    const children = new Set<ChildProcess>()
    const more = { mutant: name, untilBreach: true, ...(given.profile === undefined && profile !== undefined ? { profile } : {}) }
    await Promise.all(
      orders(given, more).map((order) =>
        run(
          order,
          ({ breach }) => {
            if (by === undefined) seeds += 1
            if (breach === undefined) return
            by ??= breach.invariant
            for (const one of children) one.kill('SIGKILL')
          },
          children,
        ),
      ),
    )
    progress('')
    found[name] = by === undefined ? null : { seeds, by }
    if (!given.json)
      process.stdout.write(
        by === undefined ? `NOT FOUND in ${seeds} seeds: ${name}\n` : `found by ${by} after ${seeds} seeds: ${name}\n`,
      )
  }
  const missed = Object.values(found).filter((one) => one === null).length
  const passed = chosen.length - missed
  process.stdout.write(
    given.json ? `${JSON.stringify({ passed, failed: missed, found })}\n` : `${passed} passed, ${missed} failed\n`,
  )
  return missed === 0 ? 0 : 1
}

const wrong = (why: string): number => {
  process.stderr.write(`sim: ${why}; --help tells what there is\n`)
  return 2
}

export async function main(argv: readonly string[]): Promise<number> {
  let values
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    const options = { seeds: text, from: text, profile: text, only: text, jobs: text, mutants: flag, json: flag, help: flag }
    values = parseArgs({ args: [...argv], options }).values
  } catch (cause) {
    return wrong((cause as Error).message)
  }
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const seeds = Number(values.seeds ?? 200)
  const from = Number(values.from ?? 1)
  const jobs = Number(values.jobs ?? availableParallelism())
  for (const [name, value] of Object.entries({ seeds, from, jobs }))
    if (!Number.isSafeInteger(value) || value < 1) return wrong(`--${name} is a whole number from 1 on`)
  const { profile, json = false } = values
  if (profile !== undefined && !profiles.includes(profile as Profile)) return wrong(`--profile is one of ${profiles.join(', ')}`)
  const given: Given = { from, seeds, jobs, profile, json }
  return values.mutants === true ? runMutants(given, values.only) : runSeeds(given)
}
