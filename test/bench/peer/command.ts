/** Owns the command line of the benches beside a peer. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokerProgram, brokerRemedy, isBrokerBuilt } from '../../support/tools/broker.ts'
import { installKafka, kafkaVersion } from '../../support/tools/kafka.ts'
import type { Ground, Kind } from './contestant.ts'
import { type Duel, duel, type DuelOrder, startDuel } from './duel.ts'
import { type BenchName, fullScale, loads, quickScale } from './loads.ts'
import { tmpfsMagic } from './measure.ts'
import { render, rowsOf } from './report.ts'

const benchNames: readonly BenchName[] = ['produce', 'consume', 'latency', 'groups', 'compaction', 'start']

const help = `usage: node test/bench/run.mjs produce|consume|latency|groups|compaction|start|all [options]
       node test/bench/run.mjs transport [options]     Raft's transports beside each other; see its --help

Runs one load by Kafka's own perf tools against our broker and Apache Kafka ${kafkaVersion} in turn (A B A B …), after warm-up
runs of each that are not measured. Kafka runs with its defaults (no fsync) and 1 GiB of heap; 'beside fsync' has it fsync every append.

  --pairs N            measured runs of each side; default 3
  --quick              smaller runs: minutes instead of tens of minutes, and less certain
  --only TEXT          only loads whose name contains this
  --list               names of the loads
  --ours KIND          chronik (default), or kafka: Kafka against itself, to see how far two equals differ here
  --disk-dir DIR       where both brokers' disks are; default a temporary folder
  --bucket-dir DIR     our bucket; default on /dev/shm if there is one, because a bucket is not on the broker's disk
  --other-cpu-max X    a run is discarded if anything else used more than this share of all cores; default 0.15
  --chronik-arg ARG    one more argument of 'chronik start'; may be repeated
  --json               one JSON object on standard output
  --help

Figures: MiB/s as the tools count; GB = 10^9 bytes of payload; broker CPU = user + system time of the broker's process; memory = the
most it ever held. Progress goes to standard error.
exit codes: 0 measured · 1 failed · 2 wrong usage
`

class WrongUsage extends Error {}

export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv)
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof WrongUsage ? 2 : 1
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse(argv)
  const root = findRoot(process.argv[1] ?? process.cwd())
  const scale = values.quick === true ? quickScale : fullScale
  const all = loads(scale, root)
  if (values.help === true) return print(help)
  if (values.list === true)
    return print(`${all.map(({ bench, name }) => `${bench.padEnd(10)} ${name}`).join('\n')}\nstart      start\n`)
  const [wanted] = positionals
  const named = benchNames.filter((name) => wanted === 'all' || name === wanted)
  if (named.length === 0 || positionals.length > 1)
    throw new WrongUsage('name one bench: produce, consume, latency, groups, compaction, start, transport or all')
  const ours = values.ours ?? 'chronik'
  if (ours !== 'chronik' && ours !== 'kafka') throw new WrongUsage(`--ours ${ours}: chronik or kafka`)
  if (ours === 'chronik' && !isBrokerBuilt()) throw new Error(`there is no ${brokerProgram()}. Remedy: ${brokerRemedy}`)
  await installKafka()
  const ground = prepareGround(values['disk-dir'], values['bucket-dir'], values['chronik-arg'] ?? [])
  const order: DuelOrder = {
    ours: ours satisfies Kind,
    pairs: positive(values.pairs ?? '3', '--pairs'),
    otherCpuShareMax: positive(values['other-cpu-max'] ?? '0.15', '--other-cpu-max'),
    warmUpBytes: scale.warmUpBytes,
    ground,
    say: (line) => void process.stderr.write(`${line}\n`),
  }
  const facts = setting(ground, order, values.quick === true)
  for (const [name, value] of Object.entries(facts)) order.say(`${name}: ${value}`)
  const duels: Duel[] = []
  try {
    for (const load of all) {
      if (!named.includes(load.bench) || !load.name.includes(values.only ?? '')) continue
      duels.push(shown(await duel(load, order), values.json === true))
    }
    if (named.includes('start') && 'start'.includes(values.only ?? ''))
      duels.push(shown(await startDuel(order), values.json === true))
  } finally {
    ground.release()
  }
  if (duels.length === 0) throw new WrongUsage(`no load of ${wanted} has '${values.only}' in its name; see --list`)
  if (values.json === true) print(`${JSON.stringify({ ...facts, duels: duels.map((one) => ({ ...one, rows: rowsOf(one) })) })}\n`)
  return 0
}

function shown(one: Duel, asJson: boolean): Duel {
  if (!asJson) print(`${render(one)}\n`)
  return one
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        pairs: text,
        only: text,
        ours: text,
        'disk-dir': text,
        'bucket-dir': text,
        'other-cpu-max': text,
        'chronik-arg': { type: 'string', multiple: true },
        quick: flag,
        list: flag,
        json: flag,
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (cause) {
    throw new WrongUsage((cause as Error).message, { cause })
  }
}

/** Folders named by the user are used and left; those made here go. */
function prepareGround(diskDir: string | undefined, bucketDir: string | undefined, chronikArgs: readonly string[]) {
  const made: string[] = []
  const own = (parent: string): string => {
    const folder = mkdtempSync(join(parent, 'chronik-bench-'))
    made.push(folder)
    return folder
  }
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const ground = { diskDir: diskDir ?? own(tmpdir()), bucketDir: bucketDir ?? own(memory), chronikArgs }
  for (const folder of [ground.diskDir, ground.bucketDir]) mkdirSync(folder, { recursive: true })
  return { ...ground, release: () => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })) }
}

const where = (folder: string): string => `${folder}${statfsSync(folder).type === tmpfsMagic ? ' (memory)' : ' (disk)'}`

const setting = (ground: Ground, order: DuelOrder, quick: boolean): Record<string, string> => ({
  machine: `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.version}`,
  disk: where(ground.diskDir),
  bucket: where(ground.bucketDir),
  pairs: `${order.pairs}${quick ? ', quick' : ''}`,
  discarded: `runs beside more than ${order.otherCpuShareMax * 100} % of other CPU`,
})

function positive(text: string, option: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new WrongUsage(`${option} ${text}: a number above 0 is needed`)
  return value
}

function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

function findRoot(start: string): string {
  for (let folder = dirname(start); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
  }
  throw new Error('the repository’s root was not found')
}
