/**
 * Owns one broker of ours and one Apache Kafka, and running a tool against both: what is printed and how it ends must be the same but for
 * ids, times, hosts and folders.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Broker, startBroker } from '../../support/tools/broker.ts'
import { type ApacheKafka, startApacheKafka } from '../../support/tools/kafka.ts'
import { javaTool } from '../../support/tools/kafka.ts'
import { ToolHost } from '../support/tool-host.ts'

export interface Outcome {
  readonly code: number | null
  readonly lines: readonly string[]
}

export const tools = 'org.apache.kafka.tools'

/** One line a fact: what is random or belongs to the machine is named instead, and what has no order is sorted. */
export function normalized(printed: string): string[] {
  return printed
    .split('\n')
    .filter((line) => !/\bWARN\b/.test(line))
    .map((line) =>
      line
        .replace(/TopicId: [\w-]{22}/g, 'TopicId: <id>')
        .replace(/127\.0\.0\.1:\d+/g, '<host>')
        .replace(/127\.0\.0\.1/g, '<host>')
        .replace(/"logDir":"[^"]*"/g, '"logDir":"<folder>"')
        .replace(/"log_dirs":\["[^"]*"\]/g, '"log_dirs":["<folder>"]')
        .replace(/(console-consumer|consumer-[\w-]+?|interop|raw)-[0-9a-f]{8}-[0-9a-f-]{27}/g, '<member>')
        // A member of the consumer protocol makes its own id.
        .replace(/(?<=^|\s)(?=\S*[A-Z0-9])[\w-]{22}(?=\s)/g, '<member>')
        .replace(/CreateTime:\d+/g, '<time>')
        // A new cluster of Kafka sets this itself, for its replicas.
        .replace(/(Configs: )min\.insync\.replicas=1,?/, '$1')
        // Here no folder is ever cordoned.
        .replace(' or some brokers have all their log directories cordoned', '')
        // The order of a Java set.
        .replace(/(Valid states are: )(.*)/, (_, before: string, list: string) => before + list.split(', ').sort().join(', '))
        .replace(/^Option '.*' requires one of the following scenarios: .*/, "Option '…' requires one of …")
        .replace(/\[(.*, .*)\]$/, (_, list: string) => `[${list.split(', ').sort().join(', ')}]`)
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '' && !/^at |^\[\d{4}-|^\.\.\. \d+ more/.test(line))
    .sort()
}

export class Differential {
  readonly folder = mkdtempSync(join(tmpdir(), 'chronik-admin-'))
  #ours: Broker | undefined
  #peer: ApacheKafka | undefined
  #hosts: readonly [ToolHost, ToolHost] | undefined

  /** Both let everybody do everything, and keep ACLs. */
  async start(): Promise<void> {
    mkdirSync(join(this.folder, 'kafka'))
    const open = ['--acl-enabled', 'true', '--acl-super-users', 'User:ANONYMOUS']
    this.#ours = await startBroker({
      dir: join(this.folder, 'ours'),
      extra: ['--groups-initial-rebalance-delay-ms', '0', ...open],
    })
    this.#peer = await startApacheKafka({
      dir: join(this.folder, 'kafka'),
      overrides: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      },
    })
    this.#hosts = [new ToolHost(), new ToolHost()]
  }

  async stop(): Promise<void> {
    await Promise.allSettled([...(this.#hosts ?? []).map((host) => host.stop()), this.#ours?.stop(), this.#peer?.stop()])
    rmSync(this.folder, { recursive: true, force: true })
  }

  get bootstraps(): readonly [ours: string, peer: string] {
    return [this.#ours?.bootstrap ?? '', this.#peer?.bootstrap ?? '']
  }

  file(name: string, content: object | string): string {
    const path = join(this.folder, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }

  /** Both at once. `--bootstrap-server` is put in front. */
  both(className: string, args: readonly string[]): Promise<readonly [mine: Outcome, theirs: Outcome]> {
    return this.bothAs(className, (bootstrap) => ['--bootstrap-server', bootstrap, ...args])
  }

  async bothAs(
    className: string,
    argsFor: (bootstrap: string) => readonly string[],
  ): Promise<readonly [mine: Outcome, theirs: Outcome]> {
    const [ours, peer] = this.#hosts ?? []
    if (ours === undefined || peer === undefined) throw new Error('not started')
    const outcome = async (host: ToolHost, bootstrap: string): Promise<Outcome> => {
      const { code, stdout, stderr } = await host.run(className, argsFor(bootstrap))
      return { code, lines: normalized(`${stdout}\n${stderr}`) }
    }
    return Promise.all([outcome(ours, this.bootstraps[0]), outcome(peer, this.bootstraps[1])])
  }

  async same(className: string, ...args: readonly string[]): Promise<Outcome> {
    const [mine, theirs] = await this.both(className, args)
    expect(mine, `${className} ${args.join(' ')}`).toEqual(theirs)
    return theirs
  }

  /** The console consumer counts what it has read for the whole life of its JVM: it gets one of its own. */
  async consume(args: readonly string[]): Promise<void> {
    const runs = this.bootstraps.map((bootstrap) =>
      javaTool(`${tools}.consumer.ConsoleConsumer`, ['--bootstrap-server', bootstrap, ...args]),
    )
    for (const { code, stderr } of await Promise.all(runs)) expect(code, stderr).toBe(0)
  }
}
