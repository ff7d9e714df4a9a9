// Owns running the long drills by hand, as often as one likes. What they do is in kill.ts, wipe.ts, zombie.ts, bank.ts, word-count.ts,
// fuzz.ts and rebalance.ts.

import { parseArgs } from 'node:util'
import { startMinio } from '../support/tools/minio.ts'
import type { BrokerStore } from '../support/tools/broker.ts'
import { bankDrill } from './bank.ts'
import { fuzzDrill, type FuzzOrder, type FuzzReport } from './fuzz.ts'
import { killDrill } from './kill.ts'
import { rebalanceOurs } from './rebalance.ts'
import { toldSeed } from './support/world.ts'
import { wipeDrill } from './wipe.ts'
import { wordCountDrill } from './word-count.ts'
import { zombieDrill } from './zombie.ts'

const help = `usage: node test/chaos/run.mjs DRILL [options]

Real brokers, real deaths, everything judged at the end. Build first: npm run build.

  kill      kill -9 on an intact disk, under load           (default 200 times)
  wipe      kill -9 and an empty disk: the bucket remains   (default 50 times)
  zombie    SIGSTOP, another life, SIGCONT                  (default 10 times)
  bank      kill -9 under tellers that book in transactions (default 40 times; --wipe: the disk goes too)
  words     kill -9 of a word count with Kafka Streams, and of its broker (default 20 rounds)
  fuzz      bent requests of every API and version, and bytes that are none (default 10 minutes)
  rebalance 50 consumers join and leave a group of 200 partitions, in both protocols (default 5 rounds)

options
  --times N
  --minutes N of fuzz
  --wipe      of bank: an empty disk each time, everything bucket durable
  --minio     a MinIO of its own for a bucket, in place of a folder
  --help
CHRONIK_SEED=N repeats the random choices of a run; CHRONIK_PROGRAM runs another build.
`

const drills = {
  kill: { times: 200, run: killDrill, told: 'onKill' },
  wipe: { times: 50, run: wipeDrill, told: 'onWipe' },
  zombie: { times: 10, run: zombieDrill, told: 'onZombie' },
  bank: { times: 40, run: bankDrill, told: 'onDeath' },
  words: { times: 20, run: wordCountDrill, told: 'onRound' },
  rebalance: { times: 5, run: rebalanceOurs, told: 'onWave' },
  fuzz: { times: 10, run: fuzzFor, told: 'onInterval' },
} as const

/** Its times are minutes. */
function fuzzFor({ times, ...order }: Omit<FuzzOrder, 'seconds'> & { readonly times: number }): Promise<FuzzReport> {
  return fuzzDrill({ seconds: times * 60, ...order })
}

export async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      times: { type: 'string' },
      minutes: { type: 'string' },
      minio: { type: 'boolean' },
      wipe: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const name = positionals[0] as keyof typeof drills | undefined
  if (values.help === true || name === undefined || !(name in drills)) {
    process.stdout.write(help)
    return values.help === true ? 0 : 2
  }
  const { times: usual, run, told } = drills[name]
  const times = Number(values.minutes ?? values.times ?? usual)
  const { prng } = toldSeed(name)
  const minio = values.minio === true ? await startMinio() : undefined
  let store: BrokerStore | undefined
  if (minio !== undefined) {
    const bucket = 'chaos'
    await minio.createBucket(bucket)
    const { endpoint, accessKey, secretKey } = minio
    store = { kind: 's3', endpoint, bucket, accessKey, secretKey }
  }
  const startedMs = performance.now()
  try {
    const report = await run({
      times,
      prng,
      [told]: (line: string) => process.stdout.write(`${line}\n`),
      ...(store === undefined ? {} : { store }),
      ...(values.wipe === true ? { wipe: true } : {}),
    })
    process.stdout.write(`${JSON.stringify({ ...report, seconds: (performance.now() - startedMs) / 1000 }, null, 2)}\n`)
    return report.breaches.length === 0 ? 0 : 1
  } finally {
    await minio?.stop()
  }
}
