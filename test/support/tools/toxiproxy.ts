/** Owns one running Toxiproxy: start, proxies and toxics over its HTTP interface, stop. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, startProcess, waitUntil } from '../../../localstack/index.ts'
import { goTool } from './go-tool.ts'

const tool = goTool({ name: 'toxiproxy-server', module: 'github.com/Shopify/toxiproxy/v2/cmd/server', version: 'v2.5.0' })

export const { install: installToxiproxy, isInstalled: isToxiproxyInstalled, path: toxiproxyPath, remedy: toxiproxyRemedy } = tool

export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'slow_close' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data'
  readonly stream?: 'upstream' | 'downstream'
  readonly toxicity?: number
  readonly attributes?: Readonly<Record<string, number>>
}

export interface Proxy {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Returns what takes the toxic away again. */
  addToxic(toxic: Toxic): Promise<() => Promise<void>>
  /** Disabled: connections are closed and new ones refused. */
  setEnabled(enabled: boolean): Promise<void>
  remove(): Promise<void>
}

export interface Toxiproxy {
  readonly pid: number
  readonly api: string
  /** `upstream` is "host:port"; sign requests for the proxy's address, not the upstream's. */
  createProxy(upstream: string, port?: number): Promise<Proxy>
  stop(): Promise<void>
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  await tool.install()
  const port = await freePort()
  const api = `http://127.0.0.1:${port}`
  const logFolder = mkdtempSync(join(tmpdir(), 'chronik-toxiproxy-'))
  const child = startProcess({
    command: toxiproxyPath(),
    args: ['-host', '127.0.0.1', '-port', String(port)],
    logFile: join(logFolder, 'toxiproxy.log'),
  })
  await waitUntil(() => answers(`${api}/version`), { until: 'Toxiproxy to answer', timeoutMs: 10_000, process: child })
  let count = 0

  async function call(method: string, path: string, body?: unknown): Promise<void> {
    const response = await fetch(`${api}${path}`, {
      method,
      // Toxiproxy turns browsers away by their user agent, and takes Node's for one.
      headers: { 'content-type': 'application/json', 'user-agent': 'chronik-test' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${response.status} ${text}`)
  }

  return {
    pid: child.pid,
    api,
    createProxy: async (upstream, wanted) => {
      const name = `proxy-${++count}`
      const listenPort = wanted ?? (await freePort())
      await call('POST', '/proxies', { name, listen: `127.0.0.1:${listenPort}`, upstream, enabled: true })
      let toxics = 0
      return {
        name,
        host: '127.0.0.1',
        port: listenPort,
        addToxic: async ({ type, stream = 'downstream', toxicity = 1, attributes = {} }) => {
          const toxicName = `toxic-${++toxics}`
          await call('POST', `/proxies/${name}/toxics`, { name: toxicName, type, stream, toxicity, attributes })
          return () => call('DELETE', `/proxies/${name}/toxics/${toxicName}`)
        },
        setEnabled: (enabled) => call('POST', `/proxies/${name}`, { enabled }),
        remove: () => call('DELETE', `/proxies/${name}`),
      }
    },
    stop: async () => {
      await child.stop()
      rmSync(logFolder, { recursive: true, force: true })
    },
  }
}
