/** Owns the times of a drill's phases and telling them: a line that moves on a terminal, one line per phase in a pipe. */

export interface PhaseTime {
  readonly phase: string
  readonly seconds: number
}

export interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** A moving line is redrawn this often at most. */
const drawEveryMs = 100

export class Phases {
  readonly times: PhaseTime[] = []
  readonly #name: string
  readonly #terminal: Terminal
  #running = ''
  #startedAt = 0
  #drawnAt = 0

  constructor(name: string, terminal: Terminal) {
    this.#name = name
    this.#terminal = terminal
  }

  async run<Value>(phase: string, work: () => Promise<Value>): Promise<Value> {
    this.#running = phase
    this.#startedAt = performance.now()
    this.detail('')
    try {
      const value = await work()
      this.#end(phase, '')
      return value
    } catch (error) {
      this.#end(phase, ' FAILED')
      throw error
    }
  }

  /** What the phase is busy with; seen on a terminal only. */
  detail(text: string): void {
    const now = performance.now()
    if (this.#terminal.isTTY !== true || now - this.#drawnAt < drawEveryMs) return
    this.#drawnAt = now
    this.#terminal.write(`\r\x1b[2K${this.#name}: ${this.#running} … ${this.#seconds().toFixed(0)} s ${text}`)
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000
  }

  #end(phase: string, how: string): void {
    const seconds = this.#seconds()
    this.times.push({ phase, seconds })
    const clear = this.#terminal.isTTY === true ? '\r\x1b[2K' : ''
    this.#terminal.write(`${clear}${this.#name}: ${phase}${how}, ${seconds.toFixed(1)} s\n`)
  }
}
