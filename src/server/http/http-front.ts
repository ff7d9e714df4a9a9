// Owns the HTTP side of the server: /metrics, /health/live, /health/ready, from the first moment of the process on. Does not own
// figures nor readiness.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from '../../base/log.ts'
import { openProcessFigures, type ProcessFigures } from '../../base/node/process-figures.ts'
import { OpError } from '../../base/op-error.ts'
import type { BoundAddress } from '../listener/kafka-listener.ts'
import type { MetricSource } from './metric-source.ts'
import { Metrics } from './metrics.ts'
import { processMetrics } from './process-metrics.ts'

export interface HttpFrontOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly nodeId: number
  /** Why clients cannot be served yet or any more; undefined when they can. Asked at each request. */
  readonly notReadyReason: () => string | undefined
  readonly log: Log
}

/** Nobody sends this server a body or keeps it busy for long. */
const headersTimeoutMs = 5_000
const connectionsMax = 256
const text = 'text/plain; charset=utf-8'

interface Page {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const plain = (status: number, body: string): Page => ({ status, contentType: text, body: `${body}\n` })

export class HttpFront {
  readonly #options: HttpFrontOptions
  readonly #server: Server
  readonly #metrics: Metrics
  #process: ProcessFigures | undefined = undefined

  constructor(options: HttpFrontOptions) {
    this.#options = options
    this.#metrics = new Metrics(String(options.nodeId))
    this.#server = createServer({ headersTimeout: headersTimeoutMs, requestTimeout: headersTimeoutMs }, this.#onRequest)
    this.#server.maxConnections = connectionsMax
  }

  /** May be called at any time; what is added shows from the next scrape on. */
  addMetrics(...sources: readonly MetricSource[]): void {
    this.#metrics.add(...sources)
  }

  start(): Promise<BoundAddress> {
    const { host, port, log } = this.#options
    return new Promise((resolve, reject) => {
      const onFailure = (cause: Error): void => {
        reject(
          new OpError('invalid', { code: 'LISTEN_FAILED', detail: `Cannot listen on ${host}:${port}: ${cause.message}`, cause }),
        )
      }
      this.#server.once('error', onFailure)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', onFailure)
        this.#server.on('error', (error) => {
          log.warn('the HTTP listener reports an error', { error: error.message })
        })
        this.#process = openProcessFigures()
        this.#metrics.add(...processMetrics(this.#process))
        const bound = this.#server.address() as AddressInfo
        log.info('serving metrics and health', { host: bound.address, port: bound.port })
        resolve({ host: bound.address, port: bound.port })
      })
    })
  }

  async close(): Promise<void> {
    this.#process?.stop()
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
    this.#server.closeAllConnections()
    await closed
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void this.#page(request).then(
      (page) => {
        send(request, response, page)
      },
      (error: unknown) => {
        // A source that throws is our mistake, but the scrape must say so rather than hang.
        this.#options.log.error('a scrape failed', { error })
        send(request, response, plain(500, 'the scrape failed; see the log'))
      },
    )
  }

  async #page(request: IncomingMessage): Promise<Page> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET')
    const path: string = (request.url ?? '/').split('?', 1)[0] ?? '/'
    switch (path) {
      case '/metrics':
        return { status: 200, ...(await this.#metrics.scrape()) }
      case '/health/live':
        return plain(200, 'alive')
      case '/health/ready': {
        const reason = this.#options.notReadyReason()
        return reason === undefined ? plain(200, 'ready') : plain(503, reason)
      }
      default:
        return plain(404, 'there are /metrics, /health/live and /health/ready')
    }
  }
}

function send(request: IncomingMessage, response: ServerResponse, { status, contentType, body }: Page): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
