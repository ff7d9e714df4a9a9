// Owns running kafka-python's own integration suite, out of its source archive, against a broker that is there. The archive leaves out two
// files of its repository that the suite imports: a package marker, and the starting of brokers, which nothing here needs.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheFolder, installOnce, isInstalled, run, runOrThrow, ToolMissing } from '../../localstack/index.ts'
import { pythonRemedy } from '../support/tools/python.ts'
import type { Outcome, Results, Suite } from './suite.ts'

const version = '3.0.12'
const packages = [
  'pytest==9.0.2',
  'pytest-timeout==2.4.0',
  'pytest-mock==3.15.1',
  'lz4==4.4.5',
  'python-snappy==0.7.3',
  'zstandard==0.25.0',
]
const kafkaVersion = '4.3.1'
const folder = (): string => join(cacheFolder(), `compat-kafka-python-${version}`)
const source = (): string => join(folder(), `kafka_python-${version}`)
const python = (): string => join(folder(), 'venv', 'bin', 'python')
const marker = (): string => join(folder(), '.installed')
const fingerprint = [version, ...packages].join(' ')
/** Of one test: the machine may be busy. */
const testSeconds = 90

/** In place of the repository's test/service.py: the suite only ever talks to a broker that runs. */
const service = `class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self):
        pass

    def close(self):
        pass


class SpawnedService:
    def __init__(self, *args, **kwargs):
        raise RuntimeError('this run starts no brokers')
`

export const kafkaPythonInstalled = (): boolean => isInstalled(marker(), fingerprint)

export const kafkaPython: Suite = {
  name: 'kafka-python',
  about: `kafka-python ${version}: test/integration of its source archive`,
  // As the suite's own broker: its fixtures/…/kafka.properties.
  chronikArgs: [
    ...['--node-id', '0', '--kafka-num-partitions', '4', '--groups-initial-rebalance-delay-ms', '0'],
    ...['--groups-session-timeout-min-ms', '100', '--acl-enabled', 'true', '--acl-super-users', 'User:ANONYMOUS'],
  ],
  kafkaOverrides: {
    'node.id': '0',
    'num.partitions': '4',
    'group.min.session.timeout.ms': '100',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  },
  excluded: [
    [
      'test_sasl_integration*',
      'starts a broker of its own from an unpacked Kafka; logging in is tested with this client in test/interop',
    ],
    [
      'test_ssl_integration*',
      'starts a broker of its own from an unpacked Kafka; TLS is tested with this client in test/interop',
    ],
    [
      'test_admin_integration::test_describe_metadata_quorum',
      'KRaft’s own administration (DescribeQuorum): there are no controllers',
    ],
  ],
  install: () =>
    installOnce({
      tool: 'compat-kafka-python',
      marker: marker(),
      fingerprint,
      build: async (progress) => {
        const missing = (what: string) => (cause: unknown) => {
          throw new ToolMissing('compat-kafka-python', what, pythonRemedy, cause)
        }
        rmSync(folder(), { recursive: true, force: true })
        mkdirSync(folder(), { recursive: true })
        await runOrThrow({ command: 'python3', args: ['-m', 'venv', join(folder(), 'venv')] }).catch(
          missing('python3 made no environment'),
        )
        const pip = (...args: readonly string[]): Promise<string> =>
          runOrThrow({
            command: python(),
            args: ['-m', 'pip', '--no-input', '--disable-pip-version-check', ...args],
            timeoutMs: 10 * 60_000,
            onLine: progress,
          })
        const archive = join(folder(), `kafka_python-${version}.tar.gz`)
        await pip('download', '--no-binary', ':all:', '--no-deps', '-d', folder(), `kafka-python==${version}`)
          .then(() => pip('install', archive, ...packages))
          .catch(missing('pip could not fetch the suite'))
        await runOrThrow({ command: 'tar', args: ['xzf', archive, '-C', folder()] })
        writeFileSync(join(source(), 'test', '__init__.py'), '')
        writeFileSync(join(source(), 'test', 'service.py'), service)
        // The suite looks for the Kafka it would start, also when it starts none.
        mkdirSync(join(source(), 'servers', kafkaVersion, 'kafka-bin'), { recursive: true })
      },
    }),
  run: async ({ port, only, onLine }) => {
    const scratch = mkdtempSync(join(tmpdir(), 'chronik-compat-'))
    const report = join(scratch, 'report.xml')
    try {
      const { code, stdout, stderr } = await run({
        command: python(),
        args: [
          ...['-m', 'pytest', 'test/integration', '-p', 'no:cacheprovider', '-W', 'ignore', '-v', '--tb=short'],
          ...[`--timeout=${testSeconds}`, '--timeout-method=signal', `--junitxml=${report}`],
          ...['--ignore=test/integration/test_sasl_integration.py', '--ignore=test/integration/test_ssl_integration.py'],
          ...(only === undefined ? [] : ['-k', only]),
        ],
        cwd: source(),
        env: { KAFKA_URI: `kafka://127.0.0.1:${port}`, KAFKA_VERSION: kafkaVersion, PYTHONDONTWRITEBYTECODE: '1' },
        timeoutMs: 20 * 60_000,
        ...(onLine === undefined ? {} : { onLine }),
      })
      // 0: all passed, 1: some failed; else there is no report to believe.
      if (code > 1) throw new Error(`pytest ended with ${code}\n${stdout.slice(-2_000)}${stderr.slice(-2_000)}`)
      return readReport(readFileSync(report, 'utf8'))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  },
}

/** pytest's report in JUnit's form: a case without a child passed. */
export function readReport(xml: string): Results {
  const results = new Map<string, Outcome>()
  for (const [, attributes = '', rest = ''] of xml.matchAll(/<testcase ([^>]*?)(\/>|>[\s\S]*?<\/testcase>)/g)) {
    const of = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? ''
    const file = of('classname').split('.').at(-1) ?? ''
    const failed = /<(failure|error)\b/.test(rest)
    results.set(`${file}::${of('name')}`, failed ? 'failed' : rest.includes('<skipped') ? 'skipped' : 'passed')
  }
  return results
}
