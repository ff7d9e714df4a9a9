// The walls of imports: every breach that infra/house/rooms.cjs forbids is planted in a copy of the tree and must be found, and the
// tool must have seen every file. The floors stand here once more, on purpose: a list tested against itself proves nothing.

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PlantedTree, copyOfTree, typescriptFiles } from './planted-tree.ts'

const floors = [
  ['src/base'],
  ['src/model'],
  ['src/protocol'],
  ['tiers/ports.ts'],
  ['tiers/object-store', 'tiers/cache'],
  ['tiers/wal', 'tiers/stream', 'tiers/segment', 'tiers/index', 'tiers/metadata', 'tiers/snapshot'],
  ['tiers/upkeep', 'src/raft', 'src/local-log'],
  ['src/broker', 'src/groups', 'src/search'],
  ['recovery'],
  ['src/server'],
  ['src/cli'],
]
const rooms = floors.flat()
const floorOf = (room: string): number => floors.findIndex((floor) => floor.includes(room))
const doorOf = (room: string): string => (room.endsWith('.ts') ? room : `${room}/index.ts`)
const up = (file: string): string => '../'.repeat(file.split('/').length - 1)
const importing = (file: string, targets: readonly string[]): string =>
  targets.map((target) => `import '${up(file)}${target}'\n`).join('')

interface Breach {
  readonly wall: string
  readonly file: string
  readonly code: string
  readonly rule: string
}

const byImport = (wall: string, rule: string, file: string, target: string): Breach => ({
  wall,
  rule,
  file,
  code: /^(src|tiers|test|localstack|infra)\//.test(target) ? importing(file, [target]) : `import '${target}'\n`,
})

const breaches: readonly Breach[] = [
  byImport('a core opens files', 'pure-has-no-io', 'src/raft/core/planted-files.ts', 'node:fs'),
  byImport('a core uses a package', 'pure-has-no-io', 'src/raft/core/planted-package.ts', 'pino'),
  byImport('the protocol uses a package', 'pure-has-no-io', 'src/protocol/codec/planted.ts', 'pino'),
  byImport('the model asks Node', 'pure-has-no-io', 'src/model/planted-node.ts', 'node:crypto'),
  byImport('a core imports its shell', 'pure-imports-pure', 'src/raft/core/planted-shell.ts', 'src/raft/planted-driver.ts'),
  byImport(
    'a core imports the real clock',
    'pure-imports-pure',
    'src/raft/core/planted-clock.ts',
    'src/base/node/system-clock.ts',
  ),
  byImport('base imports base/node', 'pure-imports-pure', 'src/base/planted-node.ts', 'src/base/node/system-clock.ts'),
  byImport(
    'a core reaches I/O through others',
    'core-never-reaches-io',
    'tiers/wal/core/planted-reach.ts',
    'tiers/wal/planted-shell.ts',
  ),
  byImport('a socket outside the edge', 'io-lives-at-the-edge', 'src/broker/planted-socket.ts', 'node:net'),
  byImport('a file outside the edge', 'io-lives-at-the-edge', 'recovery/planted-file.ts', 'node:fs/promises'),
  byImport('a timer in a tier', 'time-lives-in-base-node', 'tiers/object-store/planted-timer.ts', 'node:timers/promises'),
  byImport('a timer in the server', 'time-lives-in-base-node', 'src/server/planted-timer.ts', 'node:timers'),
  byImport('the broker names a concrete store', 'wiring-only', 'src/broker/planted-store.ts', 'tiers/object-store/s3.ts'),
  byImport('recovery names a concrete store', 'wiring-only', 'recovery/planted-store.ts', 'tiers/object-store/memory.ts'),
  byImport('a room entered past its door', 'through-the-door', 'src/broker/planted-window.ts', 'tiers/wal/planted-shell.ts'),
  byImport('a core entered past its door', 'through-the-door', 'src/server/planted-window.ts', 'src/raft/core/planted-leaf.ts'),
  byImport('production imports a test', 'floor-7-src/broker', 'src/broker/planted-test.ts', 'test/planted.ts'),
  byImport('production imports localstack', 'floor-9-src/server', 'src/server/planted-localstack.ts', 'localstack/planted.ts'),
  byImport('production imports the house', 'floor-10-src/cli', 'src/cli/planted-infra.ts', 'infra/planted.ts'),
  byImport('production needs a development package', 'no-dev-package-in-production', 'src/server/planted-dev.ts', 'kafkajs'),
  byImport('an import leads nowhere', 'nothing-unresolvable', 'src/server/planted-nowhere.ts', 'src/server/planted-absent.ts'),
  byImport('a room without a floor', 'no-room-without-a-floor', 'src/attic/planted.ts', 'src/base/assert.ts'),
  byImport('a circle of imports', 'no-cycles', 'src/broker/planted-circle.ts', 'src/broker/planted-circle-back.ts'),
  { wall: 'a file nobody needs', rule: 'no-orphans', file: 'src/broker/planted-orphan.ts', code: 'export const alone = 1\n' },
  {
    wall: 'a dynamic import of the network',
    rule: 'io-lives-at-the-edge',
    file: 'src/broker/planted-dynamic.ts',
    code: "export const late = () => import('node:net')\n",
  },
  {
    wall: 'a type from above',
    rule: 'floor-5-tiers/segment',
    file: 'tiers/segment/planted-type.ts',
    code: "import type { Planted } from '../../src/broker/planted-target.ts'\nexport type Same = Planted\n",
  },
]

const targets: ReadonlyArray<readonly [string, string]> = [
  ['src/raft/planted-driver.ts', 'export const driver = 1\n'],
  ['src/raft/core/planted-leaf.ts', 'export const leaf = 1\n'],
  ['tiers/wal/planted-shell.ts', "import 'node:fs'\n"],
  ['tiers/object-store/s3.ts', 'export const s3 = 1\n'],
  ['src/broker/planted-target.ts', 'export type Planted = 1\n'],
  ['src/broker/planted-circle-back.ts', "import './planted-circle.ts'\n"],
  ['test/planted.ts', 'export const test = 1\n'],
  ['localstack/planted.ts', 'export const stack = 1\n'],
  ['infra/planted.ts', 'export const house = 1\n'],
]

interface Report {
  readonly modules: ReadonlyArray<{ readonly source: string }>
  readonly summary: {
    readonly violations: ReadonlyArray<{ readonly from: string; readonly to: string; readonly rule: { readonly name: string } }>
  }
}

describe('rooms', () => {
  let tree: PlantedTree
  let report: Report

  beforeAll(async () => {
    tree = copyOfTree()
    for (const [path, code] of targets) tree.plantIfAbsent(path, code)
    for (const room of rooms) tree.plantIfAbsent(doorOf(room), 'export const door = 1\n')
    for (const { file, code } of breaches) tree.plant(file, code)
    for (const room of rooms) {
      const forbidden = rooms.filter((other) => other !== room && floorOf(other) >= floorOf(room)).map(doorOf)
      const isFile = room.endsWith('.ts')
      const file = isFile ? room : `${room}/planted-floor.ts`
      if (isFile) appendFileSync(join(tree.dir, room), importing(file, forbidden))
      else tree.plant(file, importing(file, forbidden))
    }
    const args = ['-c', 'infra/house/rooms.cjs', '-T', 'json', 'src', 'tiers', 'recovery']
    const { stdout } = await tree.run('dependency-cruiser/bin/dependency-cruise.mjs', args)
    report = JSON.parse(stdout) as Report
  })
  afterAll(() => {
    tree.remove()
  })

  test('the tool saw every file', () => {
    const seen = new Set(report.modules.map(({ source }) => source))
    expect(typescriptFiles(tree.dir, ['src', 'tiers', 'recovery']).filter((path) => !seen.has(path))).toEqual([])
  })

  test.each(breaches)('$wall: found', ({ file, rule }) => {
    // A circle is told once, from whichever of its files the tool met first.
    const planted = rule === 'no-cycles' ? /^src\/broker\/planted-circle/ : undefined
    const found = report.summary.violations
      .filter(({ from }) => planted?.test(from) ?? from === file)
      .map(({ rule: { name } }) => name)
    expect(found).toContain(rule)
  })

  test.each(rooms)('%s sees no room beside or above it', (room) => {
    const file = room.endsWith('.ts') ? room : `${room}/planted-floor.ts`
    const forbidden = rooms.filter((other) => other !== room && floorOf(other) >= floorOf(room)).map(doorOf)
    const found = new Set(
      report.summary.violations
        .filter(({ from, rule }) => from === file && rule.name === `floor-${floorOf(room)}-${room}`)
        .map(({ to }) => to),
    )
    expect(forbidden.filter((door) => !found.has(door))).toEqual([])
  })
})
