// Owns which room may import which: the floors of the house, its doors, and where input and output may happen. Read by
// dependency-cruiser; test/house plants a breach of every rule and asserts that it is found.

/** One list says who lives where. A room imports its own files and rooms on LOWER floors; rooms on one floor never meet. */
const floors = [
  ['src/base'],
  ['src/model'],
  ['src/protocol'],
  ['tiers/ports[.]ts'],
  ['tiers/object-store', 'tiers/cache'],
  ['tiers/wal', 'tiers/stream', 'tiers/segment', 'tiers/index', 'tiers/metadata', 'tiers/snapshot'],
  ['tiers/upkeep', 'src/raft', 'src/local-log'],
  ['src/broker', 'src/groups', 'src/transactions', 'src/search'],
  ['recovery'],
  ['src/server'],
  ['src/cli'],
]

const at = (room) => (room.endsWith('ts') ? `^${room}$` : `^${room}/`)
const house = '^(src|tiers|recovery)/'
const houseAndAround = '^(src|tiers|recovery|infra|test|localstack|bin)/'
const cores = '^(?:(?:src|tiers)/[^/]+|recovery)/core/'
const pure = `^(?:src/base/(?!node/)|src/model/|src/protocol/|src/[^/]+/api[.]ts$|tiers/ports[.]ts$)|${cores}`
const backends = '^tiers/object-store/(s3|gcs|azure|local|memory)[./-]'
const inputOutput =
  '^(node:)?(fs|fs/promises|net|tls|http|https|http2|dns|dns/promises|child_process|worker_threads|timers|timers/promises|' +
  'perf_hooks|cluster|dgram|os|readline|readline/promises|repl|tty|inspector)$'
const npm = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown']

const floorRules = floors.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    name: `floor-${floor}-${room.replace('[.]', '.')}`,
    severity: 'error',
    comment: `${room} lives on floor ${floor}: it imports its own files and lower floors only. What it needs from above, a port hands in.`,
    from: { path: at(room) },
    to: { path: houseAndAround, pathNot: [room, ...floors.slice(0, floor).flat()].map(at) },
  })),
)

const rooms = floors.flat().map(at)

module.exports = {
  forbidden: [
    ...floorRules,
    {
      name: 'no-room-without-a-floor',
      severity: 'error',
      comment: 'A new room needs a floor in infra/house/rooms.cjs (and an RFC in docs/rfcs).',
      from: { path: house, pathNot: rooms },
      to: {},
    },
    {
      name: 'through-the-door',
      severity: 'error',
      comment:
        'Enter another room by its index.ts, core/index.ts, ports.ts (what it needs) or api.ts (what it offers, types only).',
      from: { path: '^((?:src|tiers)/[^/]+)/|^(recovery)/' },
      to: {
        path: '^((src|tiers)/[^/]+|recovery)/.+',
        pathNot: [
          '^$1/',
          '^$2/.',
          '^(src|tiers)/[^/]+/(index|ports|api)[.]ts$',
          '^(src|tiers)/[^/]+/core/index[.]ts$',
          '^recovery/(index|ports)[.]ts$',
          '^tiers/ports[.]ts$',
          '^src/(base|model)/',
          '^src/protocol/(generated|messages)/',
          '^src/protocol/[^/]+/index[.]ts$',
          backends,
        ],
      },
    },
    {
      name: 'pure-imports-pure',
      severity: 'error',
      comment: 'A pure file imports only pure files: not its own shell, not a port with promises in it.',
      from: { path: pure, pathNot: '^tiers/ports[.]ts$' },
      to: { path: houseAndAround, pathNot: pure.replace('|tiers/ports[.]ts$', '') },
    },
    {
      name: 'pure-has-no-io',
      severity: 'error',
      comment: 'No node: module and no package inside a pure file.',
      from: { path: pure },
      to: { dependencyTypes: ['core', ...npm] },
    },
    {
      name: 'core-never-reaches-io',
      severity: 'error',
      comment: 'Nothing a core can reach, by any path, does input or output.',
      from: { path: cores },
      to: { path: inputOutput, reachable: true },
    },
    {
      name: 'io-lives-at-the-edge',
      severity: 'error',
      comment: 'Sockets, files and timers are opened in base/node, server, cli, object-store, wal and raft/transport only.',
      from: {
        path: house,
        pathNot: ['^src/(base/node|server|cli)/', '^tiers/(object-store|wal)/(?!core/)', '^src/raft/transport/'],
      },
      to: { path: inputOutput, dependencyTypes: ['core'] },
    },
    {
      name: 'time-lives-in-base-node',
      severity: 'error',
      comment: 'Timers and clocks are handed in as a Clock, also at the edge.',
      from: { path: house, pathNot: ['^src/base/node/'] },
      to: { path: '^(node:)?(timers|timers/promises|perf_hooks)$', dependencyTypes: ['core'] },
    },
    {
      name: 'wiring-only',
      severity: 'error',
      comment: 'Only the composition root names a concrete object store.',
      from: { path: house, pathNot: ['^src/server/wiring[.]ts$', '^tiers/object-store/'] },
      to: { path: backends },
    },
    { name: 'no-cycles', severity: 'error', comment: 'A circle of imports has no floor.', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'Nothing imports this file and it imports nothing: delete it or use it.',
      from: { orphan: true, path: house },
      to: {},
    },
    {
      name: 'no-dev-package-in-production',
      severity: 'error',
      comment: 'What runs at the user must be in dependencies.',
      from: { path: house },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-unresolvable',
      severity: 'error',
      comment: 'This import leads nowhere.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|data)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
