/**
 * Real clients under ACLs: kafka-acls gives rights, and Java, kafkajs and confluent-kafka get what they were given and no more, in their
 * own words.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../../localstack/index.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { freshName } from './broker-under-test.ts'
import { type Access, confluentStory, javaStory, javaTold, kafkajsFor, kafkajsStory } from './clients/secured.ts'

const slowMs = 180_000
const tools = 'org.apache.kafka.tools'
const values = ['one', 'two', 'three']

describeWithTools(['kafka', 'python'], 'Under ACLs', () => {
  let folder: string
  let broker: Broker
  let port: number

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chronik-acls-'))
    const kafkaPort = await freePort()
    port = await freePort()
    broker = await startBroker({
      kafkaPort,
      env: { CHRONIK_SASL_ADMIN_PASSWORD: 'admin-pass' },
      extra: [
        ['--kafka-listeners', `PLAINTEXT://127.0.0.1:${kafkaPort},SASL_PLAINTEXT://127.0.0.1:${port}`],
        ['--sasl-admin-user', 'admin'],
        ['--acl-enabled', 'true'],
        ['--acl-super-users', 'User:admin'],
        ['--groups-initial-rebalance-delay-ms', '0'],
      ].flat(),
    })
    const users = ['alice', 'eve'].map((user) =>
      javaTold('kafka.admin.ConfigCommand', by('admin'), {
        args: [
          '--alter',
          '--entity-type',
          'users',
          '--entity-name',
          user,
          '--add-config',
          `SCRAM-SHA-256=[password=${user}-pass]`,
        ],
      }),
    )
    await Promise.all(users)
    await acls(
      '--add',
      '--allow-principal',
      'User:alice',
      '--operation',
      'All',
      '--topic',
      'shop-',
      '--group',
      'shop-',
      ...prefixed,
    )
  }, slowMs)
  afterAll(async () => {
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }, slowMs)

  const prefixed = ['--resource-pattern-type', 'prefixed']
  const by = (user: string): Access => ({
    bootstrap: `127.0.0.1:${port}`,
    folder: mkdtempSync(join(folder, 'client-')),
    login: { mechanism: 'SCRAM-SHA-256', user, password: `${user}-pass` },
  })
  const acls = (...args: readonly string[]): Promise<string> =>
    javaTold(`${tools}.AclCommand`, by('admin'), { args: [...args, '--force'] })

  it(
    'kafka-acls lists what it gave',
    async () => {
      const listed = await acls('--list', '--principal', 'User:alice')
      expect(listed).toContain('ResourcePattern(resourceType=TOPIC, name=shop-, patternType=PREFIXED)')
      expect(listed).toContain('principal=User:alice, host=*, operation=ALL, permissionType=ALLOW')
      expect(listed).not.toContain('eve')
    },
    slowMs,
  )

  it.each([
    ['the Java client', javaStory],
    ['kafkajs', kafkajsStory],
    ['confluent-kafka', confluentStory],
  ])(
    '%s does what it was given the right to',
    async (_name, story) => {
      expect(await story(by('alice'), freshName('shop-'), values)).toEqual(values)
    },
    slowMs,
  )

  it(
    'kafkajs without a right is refused, and shown nothing',
    async () => {
      const topic = freshName('shop-')
      await kafkajsStory(by('alice'), topic, values)
      const eve = kafkajsFor(by('eve'))
      const admin = eve.admin()
      await admin.connect()
      expect(await admin.listTopics()).toEqual([])
      const created = admin.createTopics({ topics: [{ topic: freshName('shop-') }] })
      await expect(created).rejects.toMatchObject({ errors: [{ type: 'TOPIC_AUTHORIZATION_FAILED' }] })
      await admin.disconnect()
      const producer = eve.producer()
      await producer.connect()
      await expect(producer.send({ topic, messages: [{ value: 'x' }] })).rejects.toThrow(/authoriz/i)
      await producer.disconnect()
    },
    slowMs,
  )

  it(
    'configs of brokers, loggers and client metrics are the cluster’s to change, those of a group its own',
    async () => {
      const alter = (user: string, type: string, entity: string, config: string): Promise<string> =>
        javaTold('kafka.admin.ConfigCommand', by(user), {
          args: ['--alter', '--entity-type', type, '--entity-name', entity, '--add-config', config],
        })
      const ofCluster = [
        ['brokers', '1', 'max.connections=4000'],
        ['client-metrics', 'm', 'interval.ms=1000'],
        ['broker-loggers', '1', 'root=INFO'],
      ] as const
      const session = 'consumer.session.timeout.ms=50000'
      const refused = /ClusterAuthorizationException|Cluster authorization failed/
      await Promise.all([
        ...ofCluster.map(([type, entity, config]) => expect(alter('alice', type, entity, config), type).rejects.toThrow(refused)),
        ...ofCluster.map(([type, entity, config]) => alter('admin', type, entity, config)),
        alter('alice', 'groups', 'shop-readers', session),
        expect(alter('eve', 'groups', 'shop-readers', session)).rejects.toThrow(/GroupAuthorizationException|not authorized/i),
      ])
    },
    slowMs,
  )

  it(
    'the Java client without a right is told so by name',
    async () => {
      const create = { args: ['--create', '--topic', 'shop-eve'] }
      await expect(javaTold(`${tools}.TopicCommand`, by('eve'), create)).rejects.toThrow(
        /TopicAuthorizationException|Authorization failed/,
      )
      const list = { args: ['--list'] }
      await expect(javaTold(`${tools}.AclCommand`, by('eve'), list)).rejects.toThrow(
        /ClusterAuthorizationException|Cluster authorization failed/,
      )
    },
    slowMs,
  )

  it(
    'a deny wins, a right that is taken away is gone, and rights come back on an empty disk',
    async () => {
      const topic = freshName('shop-')
      await kafkajsStory(by('alice'), topic, values)
      const canSend = async (): Promise<boolean> => {
        const producer = kafkajsFor(by('alice')).producer()
        await producer.connect()
        const sent = await producer.send({ topic, messages: [{ value: 'x' }] }).then(
          () => true,
          () => false,
        )
        await producer.disconnect()
        return sent
      }
      const deny = ['--deny-principal', 'User:alice', '--operation', 'Write', '--topic', topic]
      expect(await canSend()).toBe(true)
      await acls('--add', ...deny)
      expect(await canSend()).toBe(false)
      await broker.kill9()
      broker.wipeDisk()
      await broker.restart()
      expect(await canSend()).toBe(false)
      await acls('--remove', ...deny)
      expect(await canSend()).toBe(true)
    },
    slowMs,
  )

  it('nobody in particular may do nothing', async () => {
    const admin = kafkajsFor({ bootstrap: broker.bootstrap, folder }).admin()
    await admin.connect()
    expect(await admin.listTopics()).toEqual([])
    await admin.disconnect()
  })
})
