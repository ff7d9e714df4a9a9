import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { settingsMarkdown } from '../../../../../src/cli/settings/documentation.ts'
import { type LoadedSettings, type Settings, describeProblem, loadSettings } from '../../../../../src/cli/settings/index.ts'
import { editDistance, nearest } from '../../../../../src/cli/settings/nearest.ts'
import { environmentOf, flagsOf, settingKeys, settingOf } from '../../../../../src/cli/settings/schema.ts'

interface Given {
  readonly toml?: string
  readonly env?: Readonly<Record<string, string>>
  readonly argv?: readonly string[]
}

const load = ({ toml, env = {}, argv = [] }: Given) =>
  loadSettings({ file: toml === undefined ? undefined : { path: 'chronik.toml', text: toml }, env, argv })

function loaded(given: Given): LoadedSettings {
  const outcome = load(given)
  if (!outcome.ok) throw new Error(outcome.failure.map(describeProblem).join('\n'))
  return outcome.value
}
const settings = (given: Given): Settings => loaded(given).settings
function problems(given: Given): string[] {
  const outcome = load(given)
  return outcome.ok ? [] : outcome.failure.map(describeProblem)
}

describe('defaults', () => {
  test('every default is valid, and derived ones follow what they derive from', () => {
    const { node, objectStore, wal, s3, kafka } = settings({ argv: ['--node-data-dir', '/var/lib/chronik'] })
    expect(node).toEqual({ id: 1, dataDir: '/var/lib/chronik', rack: '' })
    expect([wal.dir, objectStore.localDir]).toEqual(['/var/lib/chronik/wal', '/var/lib/chronik/bucket'])
    expect([wal.fileBytes, wal.budgetBytes, wal.fsync]).toEqual([64 << 20, 2 ** 31, 'always'])
    expect(kafka.listen).toEqual({ host: '127.0.0.1', port: 9092 })
    expect([kafka.advertised, s3.bucket, s3.accessKey, s3.pathStyle]).toEqual([undefined, undefined, undefined, false])
    expect(settings({ env: { S3_ENDPOINT: 'http://127.0.0.1:9000/' } }).s3).toMatchObject({
      endpoint: 'http://127.0.0.1:9000',
      pathStyle: true,
    })
  })

  test('what a kind shows, it reads back to the same value', () => {
    const { effective } = loaded({})
    for (const { key, shown } of effective) {
      const { kind } = settingOf(key as (typeof settingKeys)[number])
      const again = kind.parse(shown)
      expect(again.ok && kind.show(again.value), key).toBe(shown)
    }
  })
})

describe('strength', () => {
  const toml = '[kafka]\nnum-partitions = 2\n[node]\nid = 20\nrack = "file"\n'
  test('file < environment < flags', () => {
    const env = { CHRONIK_NODE_ID: '30', CHRONIK_NODE_RACK: 'env' }
    const { settings: got, effective } = loaded({ toml, env, argv: ['--node-id=40'] })
    expect([got.kafka.numPartitions, got.node.rack, got.node.id]).toEqual([2, 'env', 40])
    const sources = new Map(effective.map(({ key, source }) => [key, source]))
    expect(['kafka.num-partitions', 'node.rack', 'node.id', 'log.level'].map((key) => sources.get(key))).toEqual([
      'file chronik.toml',
      'environment CHRONIK_NODE_RACK',
      'flag --node-id',
      'default',
    ])
  })

  test('an empty variable says nothing; an empty flag does', () => {
    expect(settings({ toml, env: { CHRONIK_NODE_RACK: '' } }).node.rack).toBe('file')
    expect(settings({ toml, argv: ['--node-rack', ''] }).node.rack).toBe('')
  })
})

describe('names', () => {
  test('every name is unique, and the names of other tools are the documented ones', () => {
    const environment = settingKeys.flatMap(environmentOf)
    const flags = settingKeys.flatMap(flagsOf)
    expect(new Set(environment).size).toBe(environment.length)
    expect(new Set(flags).size).toBe(flags.length)
    expect(environment.filter((name) => !name.startsWith('CHRONIK_')).toSorted()).toEqual(
      [
        'OBJECT_STORE_BACKEND',
        'LOCAL_STORE_DIR',
        'S3_BUCKET',
        'S3_ENDPOINT',
        'S3_REGION',
        'S3_PATH_STYLE',
        'S3_ACCESS_KEY',
        'S3_SECRET_KEY',
        'S3_PREFIX',
      ].toSorted(),
    )
  })

  test('every setting is read under each of its names', () => {
    for (const key of settingKeys) {
      const [name] = environmentOf(key)
      const valid = loaded({}).effective.find((one) => one.key === key)!.shown
      if (valid === '' || valid === '***') continue
      const [section, leaf] = key.split('.')
      const sourceOf = (given: Given): string => loaded(given).effective.find((one) => one.key === key)!.source
      expect(sourceOf({ env: { [name!]: valid } })).toBe(`environment ${name}`)
      expect(sourceOf({ toml: `[${section}]\n${leaf} = ${JSON.stringify(valid)}\n` })).toBe('file chronik.toml')
      for (const flag of flagsOf(key)) expect(sourceOf({ argv: [flag, valid] })).toBe(`flag ${flag}`)
    }
  })

  test('two names of one setting must agree', () => {
    expect(settings({ env: { S3_BUCKET: 'b', CHRONIK_S3_BUCKET: 'b' } }).s3.bucket).toBe('b')
    expect(problems({ env: { S3_BUCKET: 'b', CHRONIK_S3_BUCKET: 'c' } })).toEqual([
      's3.bucket (environment CHRONIK_S3_BUCKET and S3_BUCKET): the two say different things; keep one',
    ])
    expect(settings({ env: { AWS_REGION: 'eu-central-1' } }).s3.region).toBe('eu-central-1')
    expect(settings({ env: { AWS_REGION: 'eu-central-1', S3_REGION: 'eu-west-1' } }).s3.region).toBe('eu-west-1')
  })

  test('unknown names are refused with the nearest one, all at once', () => {
    expect(
      problems({
        toml: '[kafka]\nlisten-on = "x"\n[wahl]\ndir = "/x"\n[zzzzzz]\nqqqqqq = 1\n',
        env: { CHRONIK_KAFKA_LISTN: 'x', PATH: '/bin', CHRONIK_TEST_ANYTHING: '1', CHRONIK_CONFIG: 'c' },
        argv: ['--wal-fsinc', 'always', '--node-id', '2', 'stray'],
      }),
    ).toEqual([
      'kafka.listen-on (file chronik.toml): no such setting; did you mean kafka.listen?',
      'wahl.dir (file chronik.toml): no such setting; did you mean wal.dir?',
      'zzzzzz.qqqqqq (file chronik.toml): no such setting; `chronik config` lists all settings',
      'CHRONIK_KAFKA_LISTN (environment): no such setting; did you mean CHRONIK_KAFKA_LISTEN?',
      '--wal-fsinc (flag): no such setting; did you mean --wal-fsync?',
      'stray (command line): is no flag; settings are written --name value',
    ])
  })
})

describe('values', () => {
  test.each([
    ['64MiB', 67_108_864],
    ['1 GiB', 2 ** 30],
    ['2097152', 2_097_152],
  ])('bytes %s', (written, value) => {
    expect(settings({ argv: ['--wal-file-bytes', written, '--wal-budget-bytes', '16GiB'] }).wal.fileBytes).toBe(value)
  })

  test.each([
    ['250', 250],
    ['250ms', 250],
    ['2s', 2000],
    ['1m', 60_000],
  ])('milliseconds %s', (written, value) => {
    expect(settings({ env: { CHRONIK_STREAM_INTERVAL_MS: written } }).stream.intervalMs).toBe(value)
  })

  test('yes or no, in all ways to say it', () => {
    const says = (...argv: string[]): boolean => settings({ argv: [...argv, '--node-id', '7'] }).kafka.autoCreateTopics
    expect(says('--kafka-auto-create-topics')).toBe(true)
    expect(says('--kafka-auto-create-topics', 'false')).toBe(false)
    expect(says('--kafka-auto-create-topics=false')).toBe(false)
    expect(says('--no-kafka-auto-create-topics')).toBe(false)
    expect(settings({ toml: 'kafka.auto-create-topics = false' }).kafka.autoCreateTopics).toBe(false)
    expect(settings({ argv: ['--takeover'] }).cluster.takeover).toBe(true)
  })

  test.each([
    ['[::1]:9092', { host: '::1', port: 9092 }],
    ['broker-1.example:0', { host: 'broker-1.example', port: 0 }],
  ])('address %s', (written, value) => {
    expect(settings({ argv: ['--kafka-listen', written] }).kafka.listen).toEqual(value)
  })

  test('each refusal names the setting, where it came from, and what to write', () => {
    expect(
      problems({
        toml: '[node]\nid = -1\n[wal]\nfile-bytes = "64 MB"\nfsync = "never"\n[log]\nlevel = ["info"]\n',
        env: { OBJECT_STORE_BACKEND: 'gcs', CHRONIK_KAFKA_LISTEN: ':9092', S3_ENDPOINT: 'http://user:pw@host/' },
        argv: ['--http-listen', '127.0.0.1:70000', '--cluster-takeover=yes', '--snapshot-keep'],
      }),
    ).toEqual([
      'log.level (file chronik.toml): is neither a text, a number nor true or false',
      'snapshot.keep (flag --snapshot-keep): has no value; write one after it',
      'node.id (file chronik.toml): `-1` is out of range; write 0 to 2147483647',
      'cluster.takeover (flag --cluster-takeover): `yes` is neither true nor false',
      'kafka.listen (environment CHRONIK_KAFKA_LISTEN): `:9092` is not host:port; write for example 127.0.0.1:9092 or [::]:9092',
      'http.listen (flag --http-listen): `127.0.0.1:70000` has no such port; ports end at 65535',
      'object-store.backend (environment OBJECT_STORE_BACKEND): `gcs` is not in this version; there are s3, local, memory',
      's3.endpoint (environment S3_ENDPOINT): `http://user:pw@host/` is not an http(s) address; write for example http://127.0.0.1:9000',
      'wal.file-bytes (file chronik.toml): `64 MB` is not a number of bytes; write a whole number, or one with B, KiB, MiB, GiB, TiB',
      'wal.fsync (file chronik.toml): `never` is not known; there are always, unsafe-never',
    ])
  })

  test('a file that is not TOML is refused with its line', () => {
    expect(problems({ toml: '[node]\nid = = 1\n' })[0]).toMatch(/^line 2 \(file chronik.toml\): not TOML: /)
  })

  test('numbers beyond exact integers and dates are refused, not rounded', () => {
    expect(problems({ toml: '[wal]\nbudget-bytes = 1e300\n' })).toHaveLength(1)
    expect(problems({ toml: '[node]\nid = 1979-05-27\n' })).toHaveLength(1)
    expect(problems({ argv: ['--node-id', '1.5'] })).toHaveLength(1)
  })

  test('whatever is written, loading never throws', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.constantFrom(...settingKeys.flatMap(environmentOf)), fc.string()),
        fc.array(fc.string()),
        (toml, env, argv) => {
          const outcome = load({ toml, env, argv })
          expect(outcome.ok || outcome.failure.length > 0).toBe(true)
        },
      ),
    )
  })
})

const withTls = ['--tls-certificate-file', 'c', '--tls-key-file', 'k']

describe('listeners', () => {
  test('are named, or called by their protocol, and shown as they are written', () => {
    const { kafka } = settings({
      argv: [
        ...['--kafka-listeners', 'IN=PLAINTEXT://127.0.0.1:1, SASL_SSL://[::]:2', ...withTls],
        ...['--kafka-advertised-listeners', 'SASL_SSL://broker.example:2'],
      ],
    })
    expect(kafka.listeners).toEqual([
      { name: 'IN', protocol: 'PLAINTEXT', host: '127.0.0.1', port: 1 },
      { name: 'SASL_SSL', protocol: 'SASL_SSL', host: '::', port: 2 },
    ])
    expect(kafka.advertisedListeners).toEqual([{ name: 'SASL_SSL', host: 'broker.example', port: 2 }])
  })

  test.each([
    ['a:1', /is no listener.*write for example SASL_SSL/],
    ['EXTERNAL://a:1', /whose protocol is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL/],
    ['SSL://a', /SSL:\/\/a.*a is not host:port/],
    ['SSL://a:1,SSL://b:2', /names SSL twice; give each a name of its own/],
  ])('%s is refused with a remedy', (written, expected) => {
    expect(problems({ argv: ['--kafka-listeners', written] }).join()).toMatch(expected)
  })

  test.each([
    ['https://login.example/keys', true],
    ['http://127.0.0.1:8080/keys', true],
    ['http://login.example/keys', false],
    ['http://127.0.0.1.evil.example/keys', false],
    ['https://user@login.example/keys', false],
    ['file:///keys', false],
  ])('keys of tokens from %s: %s', (url, isTaken) => {
    const argv = ['--sasl-oauth-jwks-url', url]
    if (isTaken) expect(settings({ argv }).sasl.oauthJwksUrl).toBe(url)
    else expect(problems({ argv }).join()).toMatch(/is not an https address/)
  })

  test('super users are separated by semicolons, because distinguished names have commas', () => {
    const { acl } = settings({ argv: ['--acl-super-users', 'User:admin; User:CN=root,O=Example;'] })
    expect(acl.superUsers).toEqual(['User:admin', 'User:CN=root,O=Example'])
    expect(problems({ argv: ['--acl-super-users', 'admin'] }).join()).toMatch(
      /`admin`, which is no principal; write for example User:admin/,
    )
  })

  test('mechanisms that are not known are refused with those that are', () => {
    expect(problems({ argv: ['--sasl-mechanisms', 'PLAIN,GSSAPI'] }).join()).toMatch(
      /GSSAPI, which is not known; there are PLAIN, SCRAM/,
    )
    expect(problems({ argv: ['--sasl-mechanisms', ' , '] }).join()).toMatch(/names no mechanism/)
  })
})

describe('relations', () => {
  test.each<[string, Given]>([
    ['s3.bucket and object-store.backend', { env: { OBJECT_STORE_BACKEND: 's3' } }],
    ['s3.access-key and s3.secret-key', { env: { S3_ACCESS_KEY: 'a' } }],
    ['kafka.advertised and kafka.listen', { argv: ['--kafka-listen', '[::]:9092'] }],
    ['kafka.advertised and kafka.listen', { argv: ['--kafka-advertised', '0.0.0.0:9092'] }],
    ['http.listen and kafka.listen', { argv: ['--http-listen', '127.0.0.1:9092'] }],
    [
      'kafka.listeners and kafka.advertised',
      { argv: ['--kafka-listeners', 'SSL://a:1', '--kafka-advertised', 'b:2', ...withTls] },
    ],
    ['kafka.advertised-listeners and kafka.listeners', { argv: ['--kafka-listeners', 'PLAINTEXT://[::]:1'] }],
    [
      'kafka.advertised-listeners and kafka.listeners',
      { argv: ['--kafka-listeners', 'PLAINTEXT://a:1', '--kafka-advertised-listeners', 'OTHER://b:1'] },
    ],
    [
      'kafka.advertised-listeners and kafka.listeners',
      { argv: ['--kafka-listeners', 'PLAINTEXT://a:1', '--kafka-advertised-listeners', 'PLAINTEXT://0.0.0.0:1'] },
    ],
    ['kafka.listeners and http.listen', { argv: ['--kafka-listeners', 'A=PLAINTEXT://a:1,B=PLAINTEXT://a:1'] }],
    ['kafka.listeners and http.listen', { argv: ['--kafka-listeners', 'A=PLAINTEXT://127.0.0.1:9464'] }],
    ['tls.certificate-file and tls.key-file', { argv: ['--kafka-security-protocol', 'SSL'] }],
    ['tls.certificate-file and tls.key-file', { argv: ['--kafka-listeners', 'X=SASL_SSL://a:1', '--tls-key-file', 'k'] }],
    ['tls.client-auth and tls.ca-file', { argv: ['--tls-client-auth', 'required'] }],
    ['kafka.listeners', { argv: ['--listener-tls', 'NOWHERE.ca-file=c'] }],
    ['kafka.listeners', { argv: ['--listener-tls', 'PLAINTEXT.ca-file=c'] }],
    [
      'tls.certificate-file and tls.key-file',
      { argv: ['--kafka-listeners', 'A=SSL://a:1,B=SSL://a:2', '--listener-tls', 'A.certificate-file=c;A.key-file=k'] },
    ],
    [
      'tls.client-auth and tls.ca-file',
      { argv: [...withTls, '--kafka-listeners', 'A=SSL://a:1', '--listener-tls', 'A.client-auth=required'] },
    ],
    [
      'sasl.mechanisms and sasl.plain-users-file',
      { argv: ['--kafka-security-protocol', 'SASL_PLAINTEXT', '--sasl-mechanisms', 'PLAIN'] },
    ],
    [
      'sasl.mechanisms and sasl.oauth-jwks-file and sasl.oauth-jwks-url',
      {
        argv: [
          ...['--kafka-security-protocol', 'SASL_PLAINTEXT', '--sasl-mechanisms', 'OAUTHBEARER'],
          ...['--sasl-oauth-issuer', 'i', '--sasl-oauth-audience', 'a'],
        ],
      },
    ],
    [
      'sasl.mechanisms and sasl.oauth-jwks-file and sasl.oauth-jwks-url',
      { argv: ['--sasl-oauth-jwks-file', 'f', '--sasl-oauth-jwks-url', 'https://login.example/keys'] },
    ],
    [
      'sasl.mechanisms and sasl.oauth-issuer and sasl.oauth-audience',
      {
        argv: [
          ...['--kafka-security-protocol', 'SASL_PLAINTEXT', '--sasl-mechanisms', 'OAUTHBEARER'],
          ...['--sasl-oauth-jwks-file', 'f', '--sasl-oauth-issuer', 'i'],
        ],
      },
    ],
    ['acl.enabled and acl.super-users', { argv: ['--acl-enabled', 'true'] }],
    ['sasl.admin-user and sasl.admin-password', { argv: ['--sasl-admin-user', 'a'] }],
    ['wal.budget-bytes and wal.file-bytes', { argv: ['--wal-file-bytes', '1GiB'] }],
    ['wal.retain-bytes and wal.budget-bytes', { argv: ['--wal-retain-bytes', '2GiB'] }],
    ['stream.bucket-interval-ms and stream.interval-ms', { argv: ['--stream-interval-ms', '50'] }],
    [
      'stream.object-bytes and wal.budget-bytes',
      { argv: ['--stream-object-bytes', '512MiB', '--stream-uploads-in-flight-max', '5'] },
    ],
    [
      'kafka.request-bytes-max and wal.budget-bytes',
      {
        argv: [
          '--wal-budget-bytes',
          '300MiB',
          '--wal-file-bytes',
          '1MiB',
          '--wal-retain-bytes',
          '0',
          '--kafka-request-bytes-max',
          '200MiB',
        ],
      },
    ],
    ['groups.session-timeout-min-ms and groups.session-timeout-max-ms', { argv: ['--groups-session-timeout-max-ms', '5s'] }],
  ])('%s', (about, given) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]!.startsWith(`${about} (`)).toBe(true)
  })

  test('a wildcard with an advertised address is fine', () => {
    const { kafka } = settings({ argv: ['--kafka-listen', '0.0.0.0:9092', '--kafka-advertised', 'broker.example:9092'] })
    expect(kafka.advertised).toEqual({ host: 'broker.example', port: 9092 })
  })
})

describe('secrets', () => {
  test('are masked where settings are shown, and absent from every refusal', () => {
    const secret = 'hunter2-hunter2'
    const env = {
      S3_ACCESS_KEY: `${secret}-id`,
      S3_SECRET_KEY: secret,
      CHRONIK_TLS_KEY_PASSWORD: secret,
      CHRONIK_SASL_ADMIN_USER: 'admin',
      CHRONIK_SASL_ADMIN_PASSWORD: secret,
    }
    const { effective, settings: got } = loaded({ env })
    expect(JSON.stringify(effective)).not.toContain(secret)
    const masked = ['tls.key-password', 'sasl.admin-password', 's3.access-key', 's3.secret-key']
    expect(effective.filter(({ shown }) => shown === '***').map(({ key }) => key)).toEqual(masked)
    expect(got.s3.secretKey).toBe(secret)
    const refused = problems({ env: { ...env, CHRONIK_S3_SECRET_KEY: `${secret}-other`, CHRONIK_NODE_ID: 'x' } })
    expect(refused.length).toBe(2)
    expect(refused.join()).not.toContain(secret)
  })
})

describe('topic defaults', () => {
  test('are taken by Kafka names from all sources, and merged by strength', () => {
    const toml = '[topic-defaults]\nretention.ms = 1000\n"cleanup.policy" = "delete"\nsegment.bytes = 5\n'
    const env = { CHRONIK_TOPIC_DEFAULTS: 'segment.bytes=6;cleanup.policy=compact,delete' }
    const argv = ['--topic-defaults', 'segment.bytes=7; max.message.bytes=9']
    expect(settings({ toml, env, argv }).topicDefaults).toEqual({
      'retention.ms': '1000',
      'cleanup.policy': 'compact,delete',
      'segment.bytes': '7',
      'max.message.bytes': '9',
    })
    expect(problems({ argv: ['--topic-defaults', 'retention.ms'] })).toEqual([
      'topic-defaults (flag --topic-defaults): write name=value;name=value',
    ])
  })
})

describe('the nearest name', () => {
  test('distance counts inserts, deletes, replacements and swaps of neighbours', () => {
    expect([
      editDistance('wal', 'wal'),
      editDistance('', 'abc'),
      editDistance('lsiten', 'listen'),
      editDistance('kitten', 'sitting'),
    ]).toEqual([0, 3, 1, 3])
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })

  test('nothing is guessed when nothing is near', () => {
    expect(nearest('xyz', ['kafka.listen'])).toBeUndefined()
    expect(nearest('KAFKA.LISTEN', ['kafka.listen'])).toBe('kafka.listen')
  })
})

test('docs/configuration.md holds the table of the schema; regenerate it with `npm run docs`', () => {
  const document = readFileSync(join(import.meta.dirname, '../../../../../docs/configuration.md'), 'utf8')
  expect(document).toContain(settingsMarkdown())
})

describe('TLS of single listeners', () => {
  const listeners = 'A=SSL://127.0.0.1:1,B=SASL_SSL://127.0.0.1:2'
  const common = ['--kafka-listeners', listeners, ...withTls]

  test('stands in a table of the file, in one variable or one flag; the stronger place wins for each setting', () => {
    const toml = '[listener-tls.A]\ncertificate-file = "file"\nkey-file = "file"\n[listener-tls.B]\nmin-version = "TLSv1.3"\n'
    const env = { CHRONIK_LISTENER_TLS: 'A.key-file=env; A.ca-file=env;A.key-password=geheim' }
    const { settings: got, effective } = loaded({
      toml,
      env,
      argv: [...common, '--listener-tls', 'A.client-auth=required;A.ca-file=flag'],
    })
    expect(got.listenerTls).toEqual({
      A: { certificateFile: 'file', keyFile: 'env', keyPassword: 'geheim', caFile: 'flag', clientAuth: 'required' },
      B: { minVersion: 'TLSv1.3' },
    })
    const shown = effective.filter(({ key }) => key.startsWith('listener-tls.'))
    expect(shown.map(({ key, shown: text }) => `${key}=${text}`)).toContain('listener-tls.A.key-password=***')
    expect(JSON.stringify(effective)).not.toContain('geheim')
  })

  test('what is wrong is told with its name, its place and the remedy', () => {
    expect(problems({ argv: [...common, '--listener-tls', 'A.client-auth=maybe'] })).toEqual([
      expect.stringContaining('listener-tls.A.client-auth (flag --listener-tls): `maybe`') as string,
    ])
    expect(problems({ argv: [...common, '--listener-tls', 'A.certificate=x'] })).toEqual([
      expect.stringContaining('no such setting; after the listener') as string,
    ])
    expect(problems({ argv: ['--listener-tls', 'A'] })).toEqual([expect.stringContaining('write name=value') as string])
    expect(problems({ argv: [...common, '--listener-tls', 'C.ca-file=x'] })[0]).toContain('listener-tls.C is of no listener')
  })
})
