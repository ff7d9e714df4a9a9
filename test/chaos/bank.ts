// Owns the drill of the bank: tellers with a real client book orders exactly once, in transactions, while the broker dies again and again,
// with its disk or without. At the end a reader of committed records must find each order booked in both of its accounts, once.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { runOrThrow, type RunningProcess, startProcess, waitUntil } from '../../localstack/index.ts'
import type { Prng } from '../../src/base/prng.ts'
import { type Broker, type BrokerStore, root, startBroker } from '../support/tools/broker.ts'
import { pythonPath } from '../support/tools/python.ts'
import { createTopics } from './support/requests.ts'
import { metric, quickSettings } from './support/world.ts'

export interface BankOrder {
  /** How often the broker dies. */
  readonly times: number
  readonly prng: Prng
  /** The disk goes with it, and everything is `bucket` durable. */
  readonly wipe?: boolean
  /** Of work, once the tellers are at it again after a death. */
  readonly pauseMsMax?: number
  readonly store?: BrokerStore
  readonly onDeath?: (line: string) => void
}

export interface BankReport {
  readonly breaches: readonly string[]
  readonly deaths: number
  readonly orders: number
  /** Bookings that a reader of committed records finds: two an order. */
  readonly bookings: number
  readonly commitsSeen: number
  readonly abortsSeen: number
  readonly clientRestarts: number
  /** By the lives that died, as they told right before. */
  readonly transactionsEnded: number
  /** Deaths right before which a transaction was open or about to end. */
  readonly deathsUnderWay: number
}

const tellers = ['teller-1', 'teller-2'] as const
const script = join(root, 'test', 'chaos', 'support', 'bank.py')
const settleMs = 120_000

const python = (args: readonly string[]): Promise<string> =>
  runOrThrow({ command: pythonPath(), args: ['-u', script, ...args], timeoutMs: 300_000, env: { PYTHONDONTWRITEBYTECODE: '1' } })

export async function bankDrill(order: BankOrder): Promise<BankReport> {
  const { times, prng, wipe = false, store, onDeath, pauseMsMax = 500 } = order
  const extra = [
    ...quickSettings,
    ...['--transactions-state-partitions', '3', '--transactions-abort-check-ms', '500', '--transactions-timeout-max-ms', '1m'],
    ...(wipe ? ['--takeover', 'true', '--topic-defaults', 'chronik.durability=bucket'] : []),
  ]
  const folder = mkdtempSync(join(tmpdir(), 'chronik-bank-'))
  const broker = await startBroker({ extra, ...(store === undefined ? {} : { store }) })
  const staff: RunningProcess[] = []
  try {
    const durability = wipe ? 'bucket' : 'quorum'
    await createTopics(broker.kafkaPort, [
      { name: 'orders', partitions: 3, durability },
      { name: 'accounts', partitions: 4, durability },
    ])
    // In the bucket each step of a transaction takes a tenth of a second: few orders, and many of them at once for a teller.
    const [ordered, booked] = wipe ? ['10', '100'] : ['100', '10']
    const desk = clerk(['order', broker.bootstrap, ordered], join(folder, 'desk.log'))
    staff.push(desk, ...tellers.map((name) => clerk(['tell', broker.bootstrap, booked, name], join(folder, `${name}.log`))))
    let ended = 0
    let underWay = 0
    for (let death = 1; death <= times; death += 1) {
      const before = seen(staff, 'booked')
      const target = before + 1 + prng.below(5)
      await waitUntil(() => seen(staff, 'booked') >= target, {
        until: 'the tellers to book again',
        timeoutMs: settleMs,
        process: desk,
      })
      await pause(prng.below(pauseMsMax))
      ended += (await metric(broker, 'chronik_transactions_total').catch(() => undefined)) ?? 0
      underWay += (await transactionsUnderWay(broker).catch(() => 0)) > 0 ? 1 : 0
      await broker.kill9()
      if (wipe) broker.wipeDisk()
      await broker.restart({ extra })
      onDeath?.(
        `${death} of ${times} deaths, ${seen(staff, 'booked')} commits told, serving again in ${Math.round(broker.startMs())} ms`,
      )
    }
    // What is left is booked in peace.
    const deskExit = await desk.stop(20_000)
    const allBooked = async (): Promise<boolean> => {
      const { orders, bookings } = await audit(broker)
      return bookings.length >= orders.length * 2
    }
    await waitUntil(allBooked, { until: 'all orders to be booked', timeoutMs: settleMs, everyMs: 500 })
    const exits = [deskExit, ...(await Promise.all(staff.slice(1).map((one) => one.stop(20_000))))]
    const found = await audit(broker)
    const breaches = [
      ...judged(found),
      ...exits.flatMap(({ code }, at) => (code === 0 ? [] : [`a clerk ended with ${code}: ${staff[at]!.logs().slice(-500)}`])),
    ]
    await broker.sigterm()
    return {
      breaches,
      deaths: times,
      orders: found.orders.length,
      bookings: found.bookings.length,
      commitsSeen: seen(staff, 'booked'),
      abortsSeen: seen(staff, 'aborted'),
      clientRestarts: seen(staff, 'restarted'),
      transactionsEnded: ended,
      deathsUnderWay: underWay,
    }
  } finally {
    await Promise.allSettled(staff.map((one) => one.kill9()))
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function transactionsUnderWay({ httpPort }: Broker): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`, { signal: AbortSignal.timeout(5_000) })
  const lines = (await response.text()).matchAll(/^chronik_transactional_ids\{state="(?:Ongoing|Prepare\w+)"[^}]*\} (\d+)$/gm)
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0)
}

const clerk = (args: readonly string[], logFile: string): RunningProcess =>
  startProcess({ command: pythonPath(), args: ['-u', script, ...args], logFile, env: { PYTHONDONTWRITEBYTECODE: '1' } })

const seen = (staff: readonly RunningProcess[], what: string): number =>
  staff.reduce((sum, one) => sum + one.logs().split(`"${what}"`).length - 1, 0)

type Order = readonly ['order', number: number, account: number, amount: number]
type Booking = readonly [order: number, side: 'from' | 'to', amount: number]

interface Found {
  readonly orders: readonly Order[]
  readonly bookings: readonly Booking[]
}

/** All that a reader of committed records finds. */
async function audit({ bootstrap }: Broker): Promise<Found> {
  const printed = await python(['audit', bootstrap])
  const lines = printed.split('\n').filter((line) => line.startsWith('['))
  const records = lines.map((line) => JSON.parse(line) as Order | Booking)
  const isOrder = (one: Order | Booking): one is Order => one[0] === 'order'
  return { orders: records.filter(isOrder), bookings: records.filter((one): one is Booking => !isOrder(one)) }
}

/** Each order once, from one account and to another, for its amount; nothing else; and the bank's sum is what it was: nothing. */
function judged({ orders, bookings }: Found): string[] {
  const expected = new Map<string, number>()
  for (const [, number, , amount] of orders) {
    expected.set(`${number} from ${-amount}`, 0)
    expected.set(`${number} to ${amount}`, 0)
  }
  const breaches = expected.size === orders.length * 2 ? [] : ['an order is there twice']
  let sum = 0
  for (const [order, side, amount] of bookings) {
    const booking = `${order} ${side} ${amount}`
    const times = expected.get(booking)
    if (times === undefined) breaches.push(`booked without an order: ${booking}`)
    else expected.set(booking, times + 1)
    sum += amount
  }
  if (sum !== 0) breaches.push(`the sum is torn: ${sum}`)
  for (const [booking, times] of expected) if (times !== 1) breaches.push(`booked ${times} times: ${booking}`)
  return breaches.slice(0, 20)
}
