// Owns the drill of the crowd: 50 consumers join and leave a group of 200 partitions in waves while somebody writes. No record may be
// lost, none be seen again that was committed before, no partition have two owners; how long each wave takes to settle is told. The
// broker is its caller's: the bench puts Apache Kafka beside ours.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Prng } from '../../src/base/prng.ts'
import { root, startBroker } from '../support/tools/broker.ts'
import { javaArgs } from '../support/tools/kafka.ts'
import { createTopic } from '../support/tools/topic.ts'
import { CrowdLedger } from './support/crowd-ledger.ts'

export type GroupProtocol = 'classic' | 'consumer'

export interface RebalanceOrder {
  readonly bootstrap: string
  readonly protocol: GroupProtocol
  /** Rounds of three waves: some leave, as many join, some leave while others join. */
  readonly times: number
  readonly prng: Prng
  readonly members?: number
  readonly partitions?: number
  readonly onWave?: (line: string) => void
}

export interface RebalanceReport {
  readonly breaches: readonly string[]
  readonly seen: number
  readonly seenAgain: number
  /** Of each wave, from the first order to the last partition in place. */
  readonly settledMs: Readonly<Record<Wave, readonly number[]>>
}

export type Wave = 'all join' | 'some leave' | 'some join' | 'some leave, some join'

const recordsPerSecond = 500
const settleMs = 180_000
const program = join(root, 'test', 'chaos', 'support', 'Crowd.java')

export async function rebalanceDrill(order: RebalanceOrder): Promise<RebalanceReport> {
  const { bootstrap, protocol, times, prng, members = 50, partitions = 200, onWave } = order
  const name = `crowd-${protocol}-${prng.below(2 ** 31)}`
  await createTopic(bootstrap, name, partitions)
  const ledger = new CrowdLedger(partitions)
  const crowd = startCrowd([bootstrap, name, name, protocol, String(recordsPerSecond)], ledger)
  const settledMs: Record<Wave, number[]> = { 'all join': [], 'some leave': [], 'some join': [], 'some leave, some join': [] }
  const present = new Set<string>()
  let next = 0
  const wave = async (kind: Wave, leaving: number, joining: number): Promise<void> => {
    const startedMs = performance.now()
    for (let left = leaving; left > 0; left -= 1) {
      const member = [...present][prng.below(present.size)]!
      present.delete(member)
      crowd.say(`leave ${member}`)
    }
    for (let left = joining; left > 0; left -= 1) {
      const member = String(next++)
      present.add(member)
      crowd.say(`join ${member}`)
    }
    await crowd.until(() => ledger.isSettled(present), `${kind} to settle`)
    settledMs[kind].push(performance.now() - startedMs)
    onWave?.(`${protocol}, ${kind}: settled after ${Math.round(performance.now() - startedMs)} ms, ${ledger.seen} records seen`)
  }
  try {
    await crowd.ready
    const some = Math.max(1, Math.floor(members / 5))
    await wave('all join', 0, members)
    for (let round = 0; round < times && ledger.breaches.length === 0; round += 1) {
      await wave('some leave', some, 0)
      await wave('some join', 0, some)
      await wave('some leave, some join', some, some)
    }
    crowd.say('end')
    await crowd.until(() => ledger.isDone, 'every record to be seen')
  } finally {
    await crowd.kill()
  }
  return { breaches: ledger.breaches.slice(0, 20), seen: ledger.seen, seenAgain: ledger.seenAgain, settledMs }
}

/** Both protocols on a broker of ours. */
export async function rebalanceOurs(order: Omit<RebalanceOrder, 'bootstrap' | 'protocol'>): Promise<{
  readonly breaches: readonly string[]
  readonly protocols: Readonly<Record<GroupProtocol, RebalanceReport>>
}> {
  const broker = await startBroker({ extra: ['--groups-initial-rebalance-delay-ms', '0'] })
  try {
    const { bootstrap } = broker
    const classic = await rebalanceDrill({ ...order, bootstrap, protocol: 'classic' })
    const consumer = await rebalanceDrill({ ...order, bootstrap, protocol: 'consumer' })
    return { breaches: [...classic.breaches, ...consumer.breaches], protocols: { classic, consumer } }
  } finally {
    await broker.stop()
  }
}

interface Crowd {
  readonly ready: Promise<void>
  say(line: string): void
  /** Looks again whenever something is told. */
  until(holds: () => boolean, what: string): Promise<void>
  kill(): Promise<void>
}

function startCrowd(args: readonly string[], ledger: CrowdLedger): Crowd {
  const child = spawn('java', javaArgs(program, args, ['-Xmx768M', '-XX:+UseSerialGC']), { stdio: ['pipe', 'pipe', 'pipe'] })
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints = `${complaints}${text}`.slice(-4_000)))
  let wake = (): void => undefined
  let isReady = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') isReady = true
    else ledger.take(line)
    wake()
  })
  child.stdin.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve()
      wake()
    })
  })
  const until = (holds: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        reject(new Error(`${what}: ${why}; ${ledger.describe()}\n${complaints}`))
      }
      const timer = setTimeout(() => fail(`not after ${settleMs} ms`), settleMs)
      wake = () => {
        if (!holds() && child.exitCode === null && ledger.breaches.length === 0) return
        clearTimeout(timer)
        if (holds() || ledger.breaches.length > 0) resolve()
        else fail(`the crowd ended with ${child.exitCode}`)
      }
      wake()
    })
  return {
    ready: until(() => isReady, 'the crowd to be ready'),
    say: (line) => void child.stdin.write(`${line}\n`),
    until,
    kill: async () => {
      child.kill('SIGKILL')
      await closed
      process.off('exit', killAtExit)
    },
  }
}
