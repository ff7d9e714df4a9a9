/**
 * Owns the real data of the drill: the larger tables of the npm package vega-datasets, and the descriptions of all packages the
 * machine's Debian knows. Rows stay as they are published: a line of CSV, an object of JSON, a stanza of a package list.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, runOrThrow } from '../../../localstack/index.ts'

export interface Row {
  readonly key: Buffer
  readonly value: Buffer
  /** The time the row itself tells of, where it does. */
  readonly timeMs: number | undefined
}

export interface Table {
  readonly name: string
  readonly rows: readonly Row[]
}

export type TableName = 'packages' | keyof typeof files

type JsonRow = Readonly<Record<string, unknown>>

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** The key of a row, by what identifies it; the time, by what it says about itself. */
const files = {
  flights: { file: 'flights-200k.json', key: (row: JsonRow) => `${text(row['distance'])}/${text(row['time'])}` },
  zipcodes: { file: 'zipcodes.csv', key: ([code = '']: readonly string[]) => code },
  movies: { file: 'movies.json', key: (row: JsonRow) => text(row['Title']) },
  birdstrikes: { file: 'birdstrikes.csv', key: ([airport = '']: readonly string[]) => airport },
  earthquakes: {
    file: 'earthquakes.json',
    key: (row: JsonRow) => text(row['id']),
    time: (row: JsonRow) => Number((row['properties'] as { time: number }).time),
  },
  football: { file: 'football.json', key: (row: JsonRow) => text(row['home_team']) },
  species: { file: 'species.csv', key: ([item = '']: readonly string[]) => item },
  jobs: { file: 'jobs.json', key: (row: JsonRow) => `${text(row['job'])} ${text(row['year'])}` },
  stocks: {
    file: 'sp500-2000.csv',
    key: ([day = '']: readonly string[]) => day,
    time: ([day = '']: readonly string[]) => Date.parse(day),
  },
  airports: { file: 'airports.csv', key: ([code = '']: readonly string[]) => code },
  weather: { file: 'seattle-weather-hourly-normals.csv', key: ([hour = '']: readonly string[]) => hour },
  terrain: { file: 'platformer-terrain.json', key: (row: JsonRow) => text(row['id']) },
} as const

interface Reading {
  readonly file: string
  readonly key: (row: never) => string
  readonly time?: (row: never) => number
}

/** Tables are read once, when first asked for. */
export class Tables {
  readonly #root: string
  readonly #read = new Map<TableName, Table>()

  constructor(root: string) {
    this.#root = root
  }

  async load(names: Iterable<TableName>): Promise<void> {
    for (const name of new Set(names)) {
      if (this.#read.has(name)) continue
      this.#read.set(name, { name, rows: name === 'packages' ? await packageRows(this) : this.#rowsOf(files[name]) })
    }
  }

  table(name: TableName): Table {
    const table = this.#read.get(name)
    if (table === undefined) throw new Error(`the table ${name} was not loaded`)
    return table
  }

  #rowsOf(reading: Reading): readonly Row[] {
    const content = readFileSync(join(this.#root, 'node_modules', 'vega-datasets', 'data', reading.file), 'utf8')
    if (reading.file.endsWith('.csv')) {
      const lines = content.trimEnd().split(/\r?\n/)
      return lines.slice(1).map((line) => rowOf(line, line.split(','), reading))
    }
    const parsed = JSON.parse(content) as readonly JsonRow[] | { readonly features: readonly JsonRow[] }
    const objects = 'features' in parsed ? parsed.features : parsed
    return objects.map((object) => rowOf(JSON.stringify(object), object, reading))
  }
}

function rowOf(value: string, parsed: unknown, { key, time }: Reading): Row {
  const timeMs = time?.(parsed as never)
  return { key: Buffer.from(key(parsed as never)), value: Buffer.from(value), timeMs: Number.isNaN(timeMs) ? undefined : timeMs }
}

/** Fewer than this, and the lists were never fetched: an image without them knows only what is installed, some hundred. */
const packagesMin = 10_000

/** Every package apt knows, with its description. Off Debian: the largest tables of vega-datasets in its place. */
async function packageRows(tables: Tables): Promise<readonly Row[]> {
  const rows = await availablePackages()
  if (rows.length >= packagesMin) return rows
  await run({ command: 'apt-get', args: ['update', '-q'], timeoutMs: 10 * 60_000 }).catch(() => undefined)
  const again = await availablePackages()
  if (again.length >= packagesMin) return again
  const names = ['earthquakes', 'movies', 'terrain', 'birdstrikes'] as const
  await tables.load(names)
  return names.flatMap((name) => tables.table(name).rows)
}

async function availablePackages(): Promise<readonly Row[]> {
  const list = await runOrThrow({ command: 'apt-cache', args: ['dumpavail'], timeoutMs: 120_000 }).catch(() => '')
  const stanzas = list.split('\n\n').filter((stanza) => stanza.startsWith('Package: '))
  return stanzas.map((stanza) => ({
    key: Buffer.from(/^Package: (.*)$/m.exec(stanza)?.[1] ?? ''),
    value: Buffer.from(stanza),
    timeMs: undefined,
  }))
}
