/** Owns a JVM that runs Kafka's command line tools one after the other (ToolHost.java), as if each had been started by itself. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { javaArgs } from '../../support/tools/kafka.ts'

export interface ToolOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const program = join(import.meta.dirname, 'ToolHost.java')
const toolMsMax = 90_000

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const decoded = (text = ''): string => Buffer.from(text, 'base64').toString()

export class ToolHost {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #closed: Promise<void>
  readonly #killAtExit: () => void
  #complaints = ''
  /** Why no tool can run any more. */
  #ended: Error | undefined
  #rest = ''
  /** Answers come in the order of the questions: one tool runs at a time. */
  #waiting: Array<{ readonly resolve: (outcome: ToolOutcome) => void; readonly reject: (error: Error) => void }> = []

  constructor() {
    const jvm = ['-Xmx256M', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
    this.#child = spawn('java', javaArgs(program, [], jvm), { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#killAtExit = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', this.#killAtExit)
    this.#child.stdin.on('error', () => undefined)
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = `${this.#complaints}${text}`.slice(-4_000)
    })
    this.#closed = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#ended ??= new Error(`the JVM of Kafka's tools ${why}\n${this.#complaints}`)
        for (const { reject } of this.#waiting.splice(0)) reject(this.#ended)
        resolve()
      }
      this.#child.once('error', ({ message }) => end(`could not be started: ${message}`))
      this.#child.once('close', (code) => end(`ended with ${code}`))
    })
  }

  /** A tool that does not end in time ends the JVM, and with it whatever was asked meanwhile. */
  async run(className: string, args: readonly string[]): Promise<ToolOutcome> {
    if (this.#ended !== undefined) throw this.#ended
    const timer = setTimeout(() => {
      this.#complaints += `${className} ${args.join(' ')} had not ended after ${toolMsMax} ms`
      this.#child.kill('SIGKILL')
    }, toolMsMax)
    try {
      return await new Promise<ToolOutcome>((resolve, reject) => {
        this.#waiting.push({ resolve, reject })
        this.#child.stdin.write(`${[className, ...args].map(encoded).join(' ')}\n`)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  async stop(): Promise<void> {
    this.#child.stdin.end()
    await this.#closed
    process.off('exit', this.#killAtExit)
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [code, stdout, stderr] = line.split(' ')
      this.#waiting.shift()?.resolve({ code: Number(code), stdout: decoded(stdout), stderr: decoded(stderr) })
    }
  }
}
