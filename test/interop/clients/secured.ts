/**
 * Owns driving clients over secured listeners: how each writes down a protocol, a mechanism and a certificate, and one story for all of
 * them (make a topic, send values, read them back). Not which broker, nor who the users are.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { runPython } from '../../support/tools/python.ts'
import { kcat as runKcat } from '../../support/tools/kcat.ts'
import { type KeyPair, keyStore } from '../../support/certificates.ts'
import { javaTool } from '../../support/tools/kafka.ts'

export type Login =
  | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly user: string; readonly password: string }
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: string }

/** How a client is to come in. */
export interface Access {
  readonly bootstrap: string
  readonly folder: string
  /** With TLS: whom the client trusts, and what it shows. */
  readonly tls?: { readonly authority: KeyPair; readonly own?: KeyPair }
  readonly login?: Login
}

/** Sends the values and returns what it reads back. Throws in the client's own words. */
export type Story = (access: Access, topic: string, values: readonly string[]) => Promise<readonly string[]>

export const protocolOf = ({ tls, login }: Access): string => {
  if (login === undefined) return tls === undefined ? 'PLAINTEXT' : 'SSL'
  return tls === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL'
}

const kafkajsSasl = (login: Login): SASLOptions => {
  if (login.mechanism === 'OAUTHBEARER')
    return { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value: login.token }) }
  const { user: username, password } = login
  switch (login.mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username, password }
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password }
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password }
  }
}

export function kafkajsFor({ bootstrap, tls, login }: Access): Kafka {
  const own = tls?.own === undefined ? {} : { cert: readFileSync(tls.own.certificate), key: readFileSync(tls.own.key) }
  return new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1 },
    ...(tls === undefined ? {} : { ssl: { ca: [readFileSync(tls.authority.certificate)], ...own } }),
    ...(login === undefined ? {} : { sasl: kafkajsSasl(login) }),
  })
}

export const kafkajsStory: Story = async (access, topic, values) => {
  const kafka = kafkajsFor(access)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value })) })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: `${topic}-readers` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen: string[] = []
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only ${seen.length} records came`)), 30_000)
    consumer
      .run({
        eachMessage: ({ message }) => {
          seen.push(message.value?.toString() ?? '')
          if (seen.length === values.length) {
            clearTimeout(timer)
            resolve()
          }
          return Promise.resolve()
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return seen
}

/** As librdkafka names them: for confluent-kafka and kcat. */
export function librdkafkaSettings(access: Access): Record<string, string> {
  const { bootstrap, tls, login } = access
  const settings: Record<string, string> = { 'bootstrap.servers': bootstrap, 'security.protocol': protocolOf(access) }
  if (tls !== undefined) {
    settings['ssl.ca.location'] = tls.authority.certificate
    if (tls.own !== undefined) {
      settings['ssl.certificate.location'] = tls.own.certificate
      settings['ssl.key.location'] = tls.own.key
    }
  }
  if (login !== undefined) {
    settings['sasl.mechanisms'] = login.mechanism
    if (login.mechanism !== 'OAUTHBEARER') {
      settings['sasl.username'] = login.user
      settings['sasl.password'] = login.password
    }
  }
  return settings
}

export const confluentStory: Story = async (access, topic, values) => {
  const token = access.login?.mechanism === 'OAUTHBEARER' ? { token: access.login.token } : {}
  const request = { settings: librdkafkaSettings(access), topic, values, ...token }
  const script = join(import.meta.dirname, 'secure.py')
  const { code, stdout, stderr } = await runPython(script, [], JSON.stringify(request))
  if (code !== 0) throw new Error(`confluent-kafka ended with ${code}\n${stderr.slice(-4_000)}`)
  return JSON.parse(stdout) as string[]
}

export const kcatStory: Story = async (access, topic, values) => {
  const { 'bootstrap.servers': bootstrap = '', ...settings } = librdkafkaSettings(access)
  const options = [
    '-b',
    bootstrap,
    '-t',
    topic,
    ...Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`]),
  ]
  const sent = await runKcat(['-P', ...options], values.map((value) => `${value}\n`).join(''))
  if (sent.code !== 0) throw new Error(`kcat could not produce\n${sent.stderr.slice(-2_000)}`)
  const read = await runKcat(['-C', '-q', ...options, '-o', 'beginning', '-c', String(values.length)])
  if (read.code !== 0) throw new Error(`kcat could not consume\n${read.stderr.slice(-2_000)}`)
  return read.stdout.trimEnd().split('\n')
}

const storePassword = 'changeit'
const loginModule = 'org.apache.kafka.common.security'

function javaLogin(login: Login, folder: string): Record<string, string> {
  if (login.mechanism === 'OAUTHBEARER') {
    const file = join(folder, 'token.jwt')
    writeFileSync(file, login.token)
    return {
      'sasl.jaas.config': `${loginModule}.oauthbearer.OAuthBearerLoginModule required ;`,
      'sasl.login.callback.handler.class': `${loginModule}.oauthbearer.OAuthBearerLoginCallbackHandler`,
      'sasl.oauthbearer.token.endpoint.url': `file://${file}`,
    }
  }
  const module = login.mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  return { 'sasl.jaas.config': `${loginModule}.${module} required username="${login.user}" password="${login.password}";` }
}

/** The client's properties, in a file as people write it. */
export function javaProperties(access: Access): string {
  const { tls, login, folder } = access
  const lines: Record<string, string> = { 'security.protocol': protocolOf(access) }
  if (tls !== undefined) {
    lines['ssl.truststore.type'] = 'PEM'
    lines['ssl.truststore.location'] = tls.authority.certificate
    if (tls.own !== undefined) {
      lines['ssl.keystore.type'] = 'PKCS12'
      lines['ssl.keystore.location'] = keyStore(tls.own, tls.authority, storePassword)
      lines['ssl.keystore.password'] = storePassword
      lines['ssl.key.password'] = storePassword
    }
  }
  if (login !== undefined) Object.assign(lines, { 'sasl.mechanism': login.mechanism }, javaLogin(login, folder))
  const file = join(folder, `client-${protocolOf(access)}-${login?.mechanism ?? 'none'}.properties`)
  writeFileSync(
    file,
    Object.entries(lines)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  return file
}

const tools = 'org.apache.kafka.tools'
const tokenFiles = (folder: string): string[] => [
  `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://${join(folder, 'token.jwt')}`,
]

export async function javaTold(
  className: string,
  access: Access,
  order: { args: readonly string[]; input?: string },
): Promise<string> {
  const args = ['--bootstrap-server', access.bootstrap, '--command-config', javaProperties(access), ...order.args]
  const jvm = ['-Xmx256M', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', ...tokenFiles(access.folder)]
  const { code, stdout, stderr } = await javaTool(className, args, {
    jvm,
    ...(order.input === undefined ? {} : { input: order.input }),
  })
  if (code !== 0) throw new Error(`${className} ended with ${code}\n${stdout.slice(-3_000)}${stderr.slice(-3_000)}`)
  return stdout
}

export const javaStory: Story = async (access, topic, values) => {
  const input = values.map((value) => `${value}\n`).join('')
  await javaTold(`${tools}.ConsoleProducer`, access, { args: ['--topic', topic], input })
  const much = ['--max-messages', String(values.length), '--timeout-ms', '30000']
  const read = ['--topic', topic, '--from-beginning', '--group', `${topic}-readers`, ...much]
  const stdout = await javaTold(`${tools}.consumer.ConsoleConsumer`, access, { args: read })
  return stdout.trimEnd().split('\n')
}
