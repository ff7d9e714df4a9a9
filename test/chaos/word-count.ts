// Owns the drill of the word count: Kafka Streams, exactly once, whose application and whose broker die again and again. At the end every
// word has been counted 1, 2, 3 … up to how often it was written, each count told once and in order.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { type RunningProcess, startProcess, waitUntil } from '../../localstack/index.ts'
import type { Prng } from '../../src/base/prng.ts'
import { type Broker, root, startBroker } from '../support/tools/broker.ts'
import { javaArgs, javaTool } from '../support/tools/kafka.ts'
import { createTopics } from './support/requests.ts'
import { quickSettings } from './support/world.ts'

export interface WordCountReport {
  readonly breaches: readonly string[]
  readonly rounds: number
  readonly words: number
  readonly brokerDeaths: number
  readonly applicationDeaths: number
}

const settings = [
  ...quickSettings,
  ...['--groups-initial-rebalance-delay-ms', '0', '--transactions-state-partitions', '3', '--transactions-abort-check-ms', '500'],
]
const linesPerRound = 300
const wordsPerLine = 5
const vocabulary = 40
const settleMs = 120_000
/** Java runs a class from its source. */
const program = join(root, 'test', 'chaos', 'support', 'WordCount.java')
const topics = ['lines', 'counts'] as const
const partitions = 2

export interface WordCountOrder {
  /** Rounds of writing, dying and counting. */
  readonly times: number
  readonly prng: Prng
  readonly onRound?: (line: string) => void
}

export async function wordCountDrill({ times, prng, onRound }: WordCountOrder): Promise<WordCountReport> {
  const folder = mkdtempSync(join(tmpdir(), 'chronik-words-'))
  const broker = await startBroker({ extra: settings })
  let application: RunningProcess | undefined
  const expected = new Map<string, number>()
  const deaths = { broker: 0, application: 0 }
  try {
    await createTopics(
      broker.kafkaPort,
      topics.map((name) => ({ name, partitions, durability: 'quorum' as const })),
    )
    application = startWordCount(broker, folder)
    for (let round = 0; round < times; round += 1) {
      await write(broker, linesOf(prng, expected))
      // Each of them dies while there is something to count, now and then both.
      const victim = (round + prng.below(2)) % 3
      await new Promise((resolve) => {
        setTimeout(resolve, prng.below(1_500))
      })
      if (victim !== 0) {
        await broker.kill9()
        deaths.broker += 1
      }
      if (victim !== 1) {
        await application.kill9()
        deaths.application += 1
        application = startWordCount(broker, folder)
      }
      if (victim !== 0) await broker.restart({ extra: settings })
      const told = [...expected.values()].reduce((sum, count) => sum + count, 0)
      let found = 0
      const until = `all ${told} words to be counted in round ${round + 1}`
      await waitUntil(
        async () => {
          found = (await countsOf(broker)).length
          return found >= told
        },
        { until, timeoutMs: settleMs, everyMs: 500, process: application },
      )
      onRound?.(`${round + 1} of ${times} rounds, ${told} words counted, ${deaths.broker} and ${deaths.application} deaths`)
    }
    const breaches = judged(await countsOf(broker), expected)
    const words = [...expected.values()].reduce((sum, count) => sum + count, 0)
    return { breaches, rounds: times, words, brokerDeaths: deaths.broker, applicationDeaths: deaths.application }
  } finally {
    await application?.kill9()
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const startWordCount = ({ bootstrap }: Broker, folder: string): RunningProcess =>
  startProcess({
    command: 'java',
    args: javaArgs(program, [bootstrap, join(folder, 'state')], ['-Xmx512M']),
    logFile: join(folder, 'application.log'),
  })

function linesOf(prng: Prng, expected: Map<string, number>): string[] {
  return Array.from({ length: linesPerRound }, () => {
    const words = Array.from({ length: wordsPerLine }, () => `word-${prng.below(vocabulary)}`)
    for (const word of words) expected.set(word, (expected.get(word) ?? 0) + 1)
    return words.join(' ')
  })
}

async function write({ bootstrap }: Broker, lines: readonly string[]): Promise<void> {
  const kafka = new Kafka({ clientId: 'writer', brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const messages = lines.map((value, at) => ({ value, partition: at % partitions }))
  await producer.send({ topic: 'lines', messages })
  await producer.disconnect()
}

type Count = readonly [word: string, count: number]

/** What a reader of committed records finds, in the order of each partition; a word is always in the same one. */
async function countsOf({ bootstrap }: Broker): Promise<readonly Count[]> {
  const reads = Array.from({ length: partitions }, (_, partition) =>
    javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...['--bootstrap-server', bootstrap, '--topic', 'counts', '--partition', String(partition), '--offset', 'earliest'],
      ...[
        '--timeout-ms',
        '3000',
        '--command-property',
        'isolation.level=read_committed',
        '--formatter-property',
        'print.key=true',
      ],
    ]),
  )
  const printed = (await Promise.all(reads)).flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.includes('\t')))
  return printed.map((line) => {
    const [word = '', count = ''] = line.split('\t')
    return [word, Number(count)] as const
  })
}

function judged(counts: readonly Count[], expected: ReadonlyMap<string, number>): string[] {
  const last = new Map<string, number>()
  const breaches: string[] = []
  for (const [word, count] of counts) {
    const next = (last.get(word) ?? 0) + 1
    if (count !== next) breaches.push(`${word}: ${count} is told where ${next} comes next`)
    last.set(word, count)
  }
  for (const [word, count] of expected) {
    if (last.get(word) !== count) breaches.push(`${word}: ${count} times written, ${last.get(word) ?? 0} times counted`)
  }
  return breaches.slice(0, 20)
}
