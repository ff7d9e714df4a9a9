// Owns how much garbage V8 lets gather before it collects the old generation. Not how memory is used.

import { setFlagsFromString } from 'node:v8'

/**
 * V8 starts a full collection when the heap, with the buffers outside it, has grown by a factor that it picks itself between 1.1 and 4,
 * the smaller the less time collections take. Our heap is small (about 12 MB live) and nearly all garbage is request buffers outside
 * it, so it picks the smallest and marks the same 12 MB after every 18 MB received: 60 times in half a gigabyte, a third of the broker's
 * CPU (docs/benchmarks.md). With its own largest factor, always, that is four times as rare, for some 30 MB more memory.
 */
const heapGrowingPercent = 300

/** For the rest of the process. */
export function collectRarely(): void {
  setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`)
}
