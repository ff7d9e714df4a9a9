// Owns the worker threads in which batches of records are opened and packed anew: how many there are, which of them has what to do. Not
// what they do (records-worker.ts), nor the order in which batches enter a partition (broker).
//
// A worker is started when there is work for it and none is idle, and stays: a broker whose topics keep what producers packed has none.
// Orders wait without a bound of their own: each is a request that is not answered, and those are bounded by the connections.

import { Worker } from 'node:worker_threads'
import { OpError } from '../../base/op-error.ts'
import type { OpenRecords } from '../../broker/index.ts'
import type { OpenedBatch, OpenOrder, RefusedBatch } from '../../protocol/index.ts'

/** What a worker answers. Without records the batch stays as it is. */
export type Opened = RefusedBatch | { readonly kind: 'opened'; readonly maxTimestamp: number; readonly records?: Uint8Array }

interface Job {
  readonly order: OpenOrder
  readonly resolve: (opened: OpenedBatch | RefusedBatch) => void
  readonly reject: (error: OpError) => void
}

export interface RecordsPoolOptions {
  /** The worker's file. */
  readonly worker: URL
  readonly threadsMax: number
}

export class RecordsPool {
  readonly #options: RecordsPoolOptions
  readonly #busy = new Map<Worker, Job>()
  readonly #idle: Worker[] = []
  #waiting: Job[] = []
  #isClosed = false

  constructor(options: RecordsPoolOptions) {
    this.#options = options
  }

  get threads(): number {
    return this.#busy.size + this.#idle.length
  }

  readonly open: OpenRecords = (order) => {
    if (this.#isClosed) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ order, resolve, reject })
      this.#assign()
    })
  }

  /** Ends the workers; what they had to do is refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    const workers = [...this.#busy.keys(), ...this.#idle.splice(0)]
    for (const { reject } of [...this.#busy.values(), ...this.#waiting.splice(0)]) reject(closed())
    this.#busy.clear()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.threads < this.#options.threadsMax ? this.#start() : undefined)
      if (worker === undefined) return
      const job = this.#waiting.shift() as Job
      this.#busy.set(worker, job)
      // A copy: the bytes stay the log's, and sending a view would send all of the buffer it lies in.
      const records = new Uint8Array(job.order.records)
      worker.postMessage({ ...job.order, records } satisfies OpenOrder, [records.buffer])
    }
  }

  #start(): Worker {
    const worker = new Worker(this.#options.worker)
    worker.on('message', (opened: Opened) => {
      const job = this.#busy.get(worker)
      if (job === undefined) return
      this.#busy.delete(worker)
      this.#idle.push(worker)
      job.resolve(opened.kind === 'error' ? opened : { ...opened, records: opened.records ?? job.order.records })
      this.#assign()
    })
    worker.on('error', (cause) => {
      this.#lose(worker, cause)
    })
    worker.on('exit', () => {
      this.#lose(worker, undefined)
    })
    return worker
  }

  /** Its order fails, the next one gets a new worker: a batch that brings a worker down does so once. */
  #lose(worker: Worker, cause: unknown): void {
    const at = this.#idle.indexOf(worker)
    if (at >= 0) this.#idle.splice(at, 1)
    const job = this.#busy.get(worker)
    this.#busy.delete(worker)
    job?.reject(
      new OpError('internal', { code: 'RECORDS_WORKER_DIED', detail: 'the worker that opened a batch of records died', cause }),
    )
    if (!this.#isClosed) this.#assign()
  }
}

const closed = (): OpError => new OpError('closed', { code: 'NODE_ENDS', detail: 'the node ends; no more batches are opened' })
