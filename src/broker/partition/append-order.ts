// Owns the order in which a partition takes in what was sent to it, while some of it waits for its batch to be opened elsewhere. Not the
// opening, nor the append (partition.ts).
//
// Batches of one partition are opened side by side; they enter it as they arrived. What needs no opening waits behind those that do.

interface Place {
  /** Absent while the batch is being opened. */
  enter: (() => void) | undefined
}

export class AppendOrder {
  #places: Place[] = []

  /** Nothing is ahead: enter at once, without asking for a place. */
  get isFree(): boolean {
    return this.#places.length === 0
  }

  /** Enters when all that came before has. */
  add(enter: () => void): void {
    this.#places.push({ enter })
    this.#go()
  }

  /** Keeps a place; what is given to the function enters there, once. */
  hold(): (enter: () => void) => void {
    const place: Place = { enter: undefined }
    this.#places.push(place)
    return (enter) => {
      place.enter = enter
      this.#go()
    }
  }

  /** A place is given up before it enters: whoever enters may send something himself, and is not ahead of it any more. */
  #go(): void {
    let enter: (() => void) | undefined
    while ((enter = this.#places[0]?.enter) !== undefined) {
      this.#places.shift()
      enter()
    }
  }
}
