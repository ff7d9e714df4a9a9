// Owns `chronik start`: settings, a broker, its welcome, and its end at a signal or by itself. What a broker is, the server knows.

import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import type { Engines, RunningBroker, World } from '../ports.ts'
import { type Address, type Settings, showAddress } from '../settings/index.ts'
import { type CommonOptions, type Register, endBy, settingsCommand, settingsFor } from './command.ts'

/** What a person would type: nobody connects to a wildcard. */
function reachable({ host, port }: Address): string {
  return showAddress({ host: ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host, port })
}

/** Only where nothing but an address is needed to connect. */
const isOpen = ({ kafka }: Settings): boolean => (kafka.listeners[0]?.protocol ?? kafka.securityProtocol) === 'PLAINTEXT'

function welcome(version: string, { kafkaAddress, httpAddress, storeLocation }: RunningBroker, tryIt: boolean): string {
  const kafka = reachable(kafkaAddress)
  return [
    `Chronik ${version} is serving.`,
    `  Kafka clients   ${kafka}`,
    `  Metrics         http://${reachable(httpAddress)}/metrics`,
    `  Bucket          ${storeLocation}`,
    '',
    ...(tryIt
      ? ['Try in another terminal:', `  echo hello | kcat -P -b ${kafka} -t first`, `  kcat -C -b ${kafka} -t first -e`]
      : ['Clients connect as docs/security.md tells.']),
    'Ctrl-C stops it; everything is in the bucket, and the next start finds it there.',
    '',
  ].join('\n')
}

interface Telling {
  readonly form: 'json' | 'text' | 'quiet'
  readonly tryIt: boolean
}

function tellReady(world: World, broker: RunningBroker, { form, tryIt }: Telling): void {
  const { kafkaAddress, httpAddress, storeLocation } = broker
  if (form === 'text') world.console.out(`${welcome(world.version, broker, tryIt)}\n`)
  if (form !== 'json') return
  const facts = {
    kafka: showAddress(kafkaAddress),
    http: showAddress(httpAddress),
    bucket: storeLocation,
    version: world.version,
  }
  world.console.out(`${JSON.stringify(facts)}\n`)
}

/** Waits for the first signal, then closes; a second signal ends the process at once. */
async function untilEnd(world: World, broker: RunningBroker, onStopping: (signal: string) => void): Promise<void> {
  let signals = 0
  let stop: (() => void) | undefined
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const cancel = world.onStopSignal((signal) => {
    signals += 1
    if (signals > 1) return world.abandon(exitCodes.world)
    onStopping(signal)
    stop?.()
  })
  try {
    await Promise.race([stopped, broker.ended])
  } finally {
    await broker.close()
    cancel()
  }
}

export function registerStart(start: NonNullable<Engines['startBroker']>): Register {
  return (parent, world, finish) => {
    settingsCommand(parent, 'start', 'run a broker').action(async ({ json }: CommonOptions, command: Command) => {
      const loaded = await settingsFor(world, command)
      if (loaded === undefined) return finish(exitCodes.usage)
      const { settings } = loaded
      const auto = world.console.isTerminal ? 'text' : 'json'
      const format = settings.log.format === 'auto' ? auto : settings.log.format
      const { log: opened, levels: logLevels } = world.openLog({ level: settings.log.level, format })
      const log = opened.with({ node: settings.node.id })
      try {
        const broker = await (await start())(settings, { log, logLevels, version: world.version })
        const form = json === true ? 'json' : format === 'text' ? 'text' : 'quiet'
        tellReady(world, broker, { form, tryIt: isOpen(settings) })
        await untilEnd(world, broker, (signal) => {
          log.info('stopping: finishing requests and uploads; a second signal ends at once', { signal })
        })
        log.info('stopped')
        finish(exitCodes.done)
      } catch (error) {
        log.error('the broker ended', { error })
        finish(endBy(error, world))
      }
    })
  }
}
