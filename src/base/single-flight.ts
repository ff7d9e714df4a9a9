// Owns the rule "one flight per key": however many ask for the same thing at once, the work is done once. Not a cache: when the
// flight has landed, it is forgotten.

export class SingleFlight<Key, Value> {
  readonly #flights = new Map<Key, Promise<Value>>()

  get inFlight(): number {
    return this.#flights.size
  }

  /** Joins the flight under `key`, or starts it. All who joined get the same value or the same error. */
  run(key: Key, start: () => Promise<Value>): Promise<Value> {
    const present = this.#flights.get(key)
    if (present !== undefined) return present
    const flight = start().finally(() => {
      this.#flights.delete(key)
    })
    this.#flights.set(key, flight)
    return flight
  }
}
