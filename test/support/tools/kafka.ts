/**
 * Owns Apache Kafka for tests and benches: its jars through Maven, its tools as Java classes, and one running KRaft node. Does not
 * interpret what the tools print.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  cacheFolder,
  type CommandOutcome,
  freePort,
  installOnce,
  isInstalled,
  run,
  type RunningProcess,
  runOrThrow,
  startProcess,
  ToolMissing,
  waitUntil,
} from '../../../localstack/index.ts'

export const kafkaVersion = '4.3.1'
const log4jVersion = '2.25.4'

const artifacts = [
  ['org.apache.kafka', 'kafka_2.13', kafkaVersion],
  ['org.apache.kafka', 'kafka-tools', kafkaVersion],
  ['org.apache.kafka', 'kafka-clients', kafkaVersion],
  ['org.apache.kafka', 'kafka-streams', kafkaVersion],
  ['org.apache.kafka', 'kafka-storage', kafkaVersion],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', log4jVersion],
  ['org.apache.logging.log4j', 'log4j-core', log4jVersion],
] as const

const fingerprint = artifacts.map((artifact) => artifact.join(':')).join(' ')
const folder = (): string => join(cacheFolder(), `kafka-${kafkaVersion}`)
const marker = (): string => join(folder(), '.installed')

export const kafkaRemedy = 'install a JDK (17 or newer) and Maven, and let Maven reach a repository'
export const isKafkaInstalled = (): boolean => isInstalled(marker(), fingerprint)

export async function installKafka(): Promise<void> {
  await installOnce({
    tool: 'kafka',
    marker: marker(),
    fingerprint,
    build: async (progress) => {
      for (const [command, args] of [
        ['java', ['-version']],
        ['mvn', ['--version']],
      ] as const) {
        const asked = await run({ command, args }).catch(() => undefined)
        if (asked?.code !== 0) throw new ToolMissing('kafka', `\`${command}\` does not run here`, kafkaRemedy)
      }
      rmSync(folder(), { recursive: true, force: true })
      mkdirSync(folder(), { recursive: true })
      writeFileSync(join(folder(), 'pom.xml'), pom())
      writeFileSync(join(folder(), 'log4j2.properties'), logging)
      await runOrThrow({
        command: 'mvn',
        args: ['-B', '-ntp', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder(), 'jars')}`],
        cwd: folder(),
        timeoutMs: 15 * 60_000,
        onLine: progress,
      }).catch((cause: unknown) => {
        throw new ToolMissing('kafka', 'Maven could not fetch the jars', kafkaRemedy, cause)
      })
    },
  })
}

const pom = (): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>chronik</groupId><artifactId>peer</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${artifacts
  .map(
    ([group, id, version]) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`,
  )
  .join('\n')}
  </dependencies>
</project>
`

/** Warnings to standard error, so that a tool's standard output is its answer and nothing else. */
const logging = `rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = [%d] %p %m (%c)%n
`

export interface JavaOrder {
  readonly input?: string
  readonly timeoutMs?: number
  /** Instead of the options for a short-lived tool. */
  readonly jvm?: readonly string[]
}

/** A tool that lives two seconds spends them compiling itself: one compiler and one collector thread halve that. */
const shortLived = ['-Xmx256M', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']

const classPath = (): string =>
  readdirSync(join(folder(), 'jars'))
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(folder(), 'jars', name))
    .join(':')

export const javaArgs = (className: string, args: readonly string[], jvm: readonly string[] = shortLived): string[] => [
  ...jvm,
  `-Dlog4j2.configurationFile=${join(folder(), 'log4j2.properties')}`,
  '-cp',
  classPath(),
  className,
  ...args,
]

/** For example `javaTool('org.apache.kafka.tools.TopicCommand', ['--list', …])`. */
export const javaTool = (className: string, args: readonly string[], order: JavaOrder = {}): Promise<CommandOutcome> =>
  run({
    command: 'java',
    args: javaArgs(className, args, order.jvm),
    timeoutMs: order.timeoutMs ?? 90_000,
    ...(order.input === undefined ? {} : { input: order.input }),
  })

export interface ApacheKafkaOrder {
  readonly dir: string
  readonly port?: number
  /** More lines of server.properties; they win over ours. */
  readonly overrides?: Readonly<Record<string, string>>
}

export interface ApacheKafka {
  readonly port: number
  readonly bootstrap: string
  readonly pid: number
  /** From spawn to the first accepted connection. */
  readonly startMs: number
  logs(): string
  stop(): Promise<void>
}

export async function startApacheKafka(order: ApacheKafkaOrder): Promise<ApacheKafka> {
  await installKafka()
  const port = order.port ?? (await freePort())
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${await freePort()}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': join(order.dir, 'log'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...order.overrides,
  }
  const controller = /CONTROLLER:\/\/([^,]+)/.exec(properties.listeners)?.[1] ?? ''
  mkdirSync(order.dir, { recursive: true })
  const file = join(order.dir, 'server.properties')
  const lines = { 'controller.quorum.bootstrap.servers': controller, ...properties }
  writeFileSync(
    file,
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  await format(file)
  const startedAt = performance.now()
  const child = startProcess({
    command: 'java',
    args: javaArgs('kafka.Kafka', [file], ['-Xms1G', '-Xmx1G', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']),
    logFile: join(order.dir, 'kafka.log'),
  })
  await untilListening(port, child, 'Apache Kafka')
  const startMs = performance.now() - startedAt
  return {
    port,
    bootstrap: `127.0.0.1:${port}`,
    pid: child.pid,
    startMs,
    logs: () => child.logs(),
    stop: async () => void (await child.stop(30_000)),
  }
}

async function format(file: string): Promise<void> {
  const args = ['format', '--ignore-formatted', '--standalone', '--cluster-id', 'MkU3OEVBNTcwNTJENDM2Qg', '--config', file]
  const { code, stdout, stderr } = await javaTool('kafka.tools.StorageTool', args)
  if (code !== 0) throw new Error(`Kafka's storage could not be formatted\n${stdout}${stderr}`)
}

export async function untilListening(port: number, child: RunningProcess, name: string): Promise<void> {
  const ready = waitUntil(() => canConnect(port), {
    until: `${name} to listen on ${port}`,
    timeoutMs: 60_000,
    everyMs: 5,
    process: child,
  })
  await ready.catch(async (cause: unknown) => {
    await child.kill9()
    throw cause
  })
}

export const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const settle = (connected: boolean): void => {
      socket.destroy()
      resolve(connected)
    }
    socket.once('connect', () => settle(true)).once('error', () => settle(false))
  })
