import { describe, expect, test } from 'vitest'
import { AssertionFailed } from '../../../../src/base/assert.ts'
import { LogLevels } from '../../../../src/base/log-levels.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import type { Engines, RunningBroker, World } from '../../../../src/cli/ports.ts'
import { runCommandLine } from '../../../../src/cli/program.ts'
import type { Settings } from '../../../../src/cli/settings/index.ts'
import type { ObjectFacts, ObjectStore } from '../../../../tiers/ports.ts'

interface Run {
  readonly exitCode: number
  readonly out: string
  readonly error: string
}

interface Setting {
  readonly engines?: Engines
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  readonly signals?: { raise?: (signal: string) => void; abandoned?: number }
}

async function chronik(argv: readonly string[], setting: Setting = {}): Promise<Run> {
  let out = ''
  let error = ''
  const { engines = {}, env = {}, files = {}, isTerminal = false, signals = {} } = setting
  const world: World = {
    argv,
    env,
    version: '9.9.9',
    engines,
    console: {
      isTerminal,
      out: (text) => {
        out += text
      },
      error: (text) => {
        error += text
      },
    },
    readFile: (path) => {
      const text = files[path]
      return text === undefined ? Promise.reject(new Error(`ENOENT ${path}`)) : Promise.resolve(new TextEncoder().encode(text))
    },
    onStopSignal: (callback) => {
      signals.raise = callback
      return () => {
        delete signals.raise
      }
    },
    abandon: (code) => {
      signals.abandoned = code
    },
    openLog: () => ({ log: silentLog, levels: new LogLevels('INFO') }),
  }
  const exitCode = await runCommandLine(world)
  return { exitCode, out, error }
}

const storeOf = (objects: readonly ObjectFacts[], closed: string[] = []): ObjectStore =>
  ({
    location: 'memory:test',
    async *list(prefix: string) {
      for (const facts of objects) if (facts.key.startsWith(prefix)) yield await Promise.resolve(facts)
    },
    get: (key: string) => Promise.resolve(new TextEncoder().encode(key)),
    close: () => {
      closed.push('store')
      return Promise.resolve()
    },
  }) as Partial<ObjectStore> as ObjectStore

const objects: readonly ObjectFacts[] = ['wal/1', 'segments/a', 'segments/b'].map((key, at) => ({
  key,
  sizeBytes: at + 1,
  etag: 'e',
  lastModifiedMs: 0,
}))

describe('usage', () => {
  test('help names every command that is wired, the exit codes, and no other command', async () => {
    const { exitCode, out } = await chronik(['--help'])
    expect(exitCode).toBe(0)
    expect(out).toMatch(/config/)
    expect(out).toMatch(/Exit codes: 0 done/)
    expect(out).not.toMatch(/^ {2}(start|bucket|dump)/m)
    const wired = await chronik(['--help'], { engines: { startBroker: () => Promise.reject(new Error('not called')) } })
    expect(wired.out).toMatch(/start/)
  })

  test('help of a command lists its settings with defaults', async () => {
    const { exitCode, out } = await chronik(['config', '--help'])
    expect(exitCode).toBe(0)
    expect(out).toContain('--kafka-listen <host:port>')
    expect(out).toContain('Default: 127.0.0.1:9092')
  })

  test('no command, an unknown command and an unknown flag are usage errors', async () => {
    expect((await chronik([])).exitCode).toBe(2)
    const unknown = await chronik(['confg'])
    expect([unknown.exitCode, unknown.error]).toEqual([2, expect.stringContaining('Did you mean config?')])
    const flag = await chronik(['config', '--kafka-listn', 'x:1'])
    expect([flag.exitCode, flag.error]).toEqual([
      2,
      'chronik: --kafka-listn (flag): no such setting; did you mean --kafka-listen?\n',
    ])
  })

  test('the version, for people and programs', async () => {
    expect((await chronik(['version'])).out).toBe('chronik 9.9.9\n')
    expect((await chronik(['version', '--json'])).out).toBe('{"version":"9.9.9"}\n')
    expect((await chronik(['--version'])).exitCode).toBe(0)
  })
})

describe('config', () => {
  test('shows value and source of each setting, flags and own options in any order', async () => {
    const files = { 'c.toml': 'node.rack = "r1"\n' }
    const { exitCode, out } = await chronik(['config', '--node-id', '7', '--json', '--config', 'c.toml', '--takeover'], { files })
    expect(exitCode).toBe(0)
    const shown = JSON.parse(out) as Record<string, unknown>
    expect(shown['node.id']).toEqual({ value: '7', source: 'flag --node-id' })
    expect(shown['node.rack']).toEqual({ value: 'r1', source: 'file c.toml' })
    expect(shown['cluster.takeover']).toEqual({ value: 'true', source: 'flag --takeover' })
  })

  test('the file may be named by the environment; one that cannot be read is named with the remedy', async () => {
    const files = { 'c.toml': 'node.rack = "r1"\n' }
    expect((await chronik(['config'], { files, env: { CHRONIK_CONFIG: 'c.toml' } })).out).toMatch(/node\.rack +r1 +file c\.toml/)
    const { exitCode, error } = await chronik(['config', '--config', 'absent.toml'])
    expect(exitCode).toBe(2)
    expect(error).toContain('UNREADABLE: the configuration file absent.toml cannot be read')
    expect(error).toContain('because: ENOENT absent.toml')
  })

  test('secrets never appear', async () => {
    const env = { S3_ACCESS_KEY: 'AKIDSECRET', S3_SECRET_KEY: 'TOPSECRET' }
    for (const argv of [['config'], ['config', '--json'], ['config', '--node-id', 'x']]) {
      const { out, error } = await chronik(argv, { env })
      expect(out + error).not.toMatch(/AKIDSECRET|TOPSECRET/)
    }
  })
})

describe('start', () => {
  interface Started {
    readonly engines: Engines
    readonly seen: { settings?: Settings; closed: number; end?: (error?: Error) => void }
  }
  function broker(): Started {
    const seen: Started['seen'] = { closed: 0 }
    const running: RunningBroker = {
      kafkaAddress: { host: '::', port: 19092 },
      httpAddress: { host: '127.0.0.1', port: 19464 },
      storeLocation: 'local:./data/bucket',
      ended: new Promise((resolve, reject) => {
        seen.end = (error) => {
          if (error === undefined) resolve()
          else reject(error)
        }
      }),
      close: () => {
        seen.closed += 1
        return Promise.resolve()
      },
    }
    const startBroker = (settings: Settings): Promise<RunningBroker> => {
      seen.settings = settings
      return Promise.resolve(running)
    }
    return { seen, engines: { startBroker: () => Promise.resolve(startBroker) } }
  }
  const turns = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
  }

  test('a person is told where to point a client; a signal closes it and ends with 0', async () => {
    const { engines, seen } = broker()
    const signals: NonNullable<Setting['signals']> = {}
    const run = chronik(['start', '--node-id', '5'], { engines, signals, isTerminal: true })
    await turns()
    signals.raise?.('SIGTERM')
    const { exitCode, out } = await run
    expect([exitCode, seen.closed, seen.settings?.node.id]).toEqual([0, 1, 5])
    expect(out).toContain('Kafka clients   127.0.0.1:19092')
    expect(out).toContain('http://127.0.0.1:19464/metrics')
    expect(out).toContain('kcat')
    expect(signals.raise).toBeUndefined()
  })

  test('--json tells a program the same in one line; a pipe without it hears nothing on standard output', async () => {
    for (const [argv, expected] of [
      [['start', '--json'], '{"kafka":"[::]:19092","http":"127.0.0.1:19464","bucket":"local:./data/bucket","version":"9.9.9"}\n'],
      [['start'], ''],
    ] as const) {
      const { engines } = broker()
      const signals: NonNullable<Setting['signals']> = {}
      const run = chronik(argv, { engines, signals })
      await turns()
      signals.raise?.('SIGINT')
      expect((await run).out).toBe(expected)
    }
  })

  test('a second signal ends the process at once', async () => {
    const { engines, seen } = broker()
    const signals: NonNullable<Setting['signals']> = {}
    const run = chronik(['start'], { engines, signals })
    await turns()
    const { raise } = signals
    raise?.('SIGINT')
    raise?.('SIGINT')
    await run
    expect([signals.abandoned, seen.closed]).toEqual([3, 1])
  })

  test('a broker that ends by itself is closed, named, and ends with 3', async () => {
    const { engines, seen } = broker()
    const run = chronik(['start'], { engines })
    await turns()
    seen.end?.(new OpError('fenced', { code: 'FENCED', detail: 'life 2 took the bucket', cause: new Error('412') }))
    const { exitCode, error } = await run
    expect([exitCode, seen.closed]).toEqual([3, 1])
    expect(error).toBe('chronik: FENCED: life 2 took the bucket\n  because: 412\n')
  })

  test.each([
    ['invalid', 2],
    ['denied', 3],
    ['corrupt', 1],
  ] as const)('an OpError `%s` at start ends with %i', async (kind, code) => {
    const startBroker = () => Promise.resolve(() => Promise.reject(new OpError(kind, { code: 'X', detail: 'y' })))
    expect((await chronik(['start'], { engines: { startBroker } })).exitCode).toBe(code)
  })

  test('a bug ends with 4 and a report', async () => {
    const startBroker = () => Promise.resolve(() => Promise.reject(new AssertionFailed('WAL-2')))
    const { exitCode, error } = await chronik(['start'], { engines: { startBroker } })
    expect(exitCode).toBe(4)
    expect(error).toMatch(/a bug in Chronik[^]*WAL-2[^]*program\.test/)
  })

  test('wrong settings begin nothing', async () => {
    const startBroker = () => Promise.reject(new Error('must not be loaded'))
    expect((await chronik(['start', '--node-id', 'x'], { engines: { startBroker } })).exitCode).toBe(2)
  })
})

describe('bucket and dump', () => {
  const closed: string[] = []
  const openObjectStore = () => Promise.resolve(() => Promise.resolve(storeOf(objects, closed)))

  test('ls lists, with a prefix, for people and programs, and closes the store', async () => {
    const all = await chronik(['bucket', 'ls'], { engines: { openObjectStore } })
    expect(all.out).toBe(
      '           1  wal/1\n           2  segments/a\n           3  segments/b\n3 objects, 6 bytes in memory:test\n',
    )
    const some = await chronik(['bucket', 'ls', '--json', '--prefix', 'wal/', '--s3-bucket', 'b'], {
      engines: { openObjectStore },
    })
    expect(JSON.parse(some.out)).toEqual(objects[0])
    expect(closed).toEqual(['store', 'store'])
  })

  test('verify ends with 0 when whole and 1 when not', async () => {
    for (const [isWhole, code] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const verify = () => Promise.resolve({ isWhole, lines: [{ text: 'hole at 7', json: { hole: 7 } }] })
      const engines = { openObjectStore, verifyBucket: () => Promise.resolve(verify) }
      const text = await chronik(['bucket', 'verify'], { engines })
      expect([text.exitCode, text.out]).toEqual([code, 'hole at 7\n'])
      expect((await chronik(['bucket', 'verify', '--json'], { engines })).out).toBe(
        `{"whole":${isWhole},"findings":[{"hole":7}]}\n`,
      )
    }
  })

  test('dump reads a file or an object, and refuses neither', async () => {
    const dump = () =>
      Promise.resolve((form: string, bytes: Uint8Array) => [{ text: `${form} ${new TextDecoder().decode(bytes)}`, json: [form] }])
    const setting = { engines: { openObjectStore, dump }, files: { '/wal/1': 'bytes' } }
    expect((await chronik(['dump', 'wal', '--file', '/wal/1'], setting)).out).toBe('wal bytes\n')
    expect((await chronik(['dump', 'segment', '--key', 'segments/a', '--json'], setting)).out).toBe('["segment"]\n')
    const neither = await chronik(['dump', 'object'], setting)
    expect([neither.exitCode, neither.error]).toEqual([
      2,
      'chronik: NOTHING_TO_DUMP: name the file with --file, or the object with --key\n',
    ])
    expect((await chronik(['dump', 'wal', '--file', '/absent'], setting)).exitCode).toBe(2)
  })
})
