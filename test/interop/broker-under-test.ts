/**
 * Owns which broker the interop tests talk to: ours, started here on a `local` store, or the one named by
 * CHRONIK_INTEROP_BOOTSTRAP (an Apache Kafka, to prove the tests themselves right).
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Broker, brokerProgram, brokerRemedy, isBrokerBuilt, startBroker } from '../support/tools/broker.ts'
import type { ToolName } from '../support/tools/tool-list.ts'
import { createTopic } from '../support/tools/topic.ts'
import { requireTool } from '../support/tools/tools.ts'

export interface BrokerUnderTest {
  bootstrap(): string
  /** A topic nobody else uses, already there when this returns. */
  createTopic(partitions: number, prefix?: string): Promise<string>
}

export const freshName = (prefix: string): string => `${prefix}-${randomBytes(5).toString('hex')}`

const given = process.env['CHRONIK_INTEROP_BOOTSTRAP'] ?? ''

/** `describe` with a broker, started with `extra` arguments if it is ours; skipped in sight if the tools or the broker are missing (an error under CI=true). */
export function describeInterop(
  names: readonly ToolName[],
  title: string,
  body: (broker: BrokerUnderTest) => void,
  extra: readonly string[] = [],
): void {
  const missing = names.map((name) => requireTool(name).reason).filter((reason) => reason !== '')
  if (given === '' && !isBrokerBuilt()) {
    const reason = `${brokerProgram()} is not built. Remedy: ${brokerRemedy}`
    if (process.env['CI'] === 'true') throw new Error(reason)
    missing.push(reason)
  }
  if (missing.length > 0) describe.skip(`${title} [skipped: ${missing.join(' · ')}]`, () => body(useBroker(extra)))
  else describe(title, () => body(useBroker(extra)))
}

function useBroker(extra: readonly string[]): BrokerUnderTest {
  let own: Broker | undefined
  let bootstrap = given
  beforeAll(async () => {
    if (given !== '') return
    own = await startBroker({ extra })
    bootstrap = own.bootstrap
  }, 60_000)
  afterAll(() => own?.stop(), 60_000)
  return {
    bootstrap: () => bootstrap,
    createTopic: async (partitions, prefix = 'interop') => {
      const topic = freshName(prefix)
      await createTopic(bootstrap, topic, partitions)
      return topic
    },
  }
}
