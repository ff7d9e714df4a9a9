// Owns counting how values spread, in plain fields: `record` costs a few nanoseconds, everything dearer happens when somebody looks.
// Not metric names nor exposition (server/http).
//
// Buckets are log-linear: values below 16 have one each; above, every power of two is cut into 8, so a bucket is at most an eighth
// as wide as its values.
//
//   value       0 … 15   16 … 31 (8 × 2)   32 … 63 (8 × 4)   …   2^30 … 2^31−1 (8 × 2^27)   above
//   bucket      0 … 15   16 … 23           24 … 31           …   224 … 231                  231
//
// Buckets, sum and maximum share one array of doubles: exact to 2^53, where 32-bit counters of a busy broker would wrap within a
// day, and cheaper to add to than fields of an object, which V8 boxes when they outgrow 31 bits (measured: 3.3 ns against 3.5–10).

const exactBelow = 16
const exactBits = 4
const subBits = 3
const subBuckets = 1 << subBits
const highestBit = 30
const bucketCount = exactBelow + (highestBit - exactBits + 1) * subBuckets
const valueMax = 2 ** (highestBit + 1) - 1
const sumAt = bucketCount
const maxAt = bucketCount + 1

function bucketOf(value: number): number {
  if (value < exactBelow) return value
  const bit = 31 - Math.clz32(value)
  return exactBelow + ((bit - exactBits) << subBits) + ((value >>> (bit - subBits)) & (subBuckets - 1))
}

/** The first value above the bucket. */
function endOf(bucket: number): number {
  if (bucket < exactBelow) return bucket + 1
  const power = (bucket - exactBelow) >> subBits
  const sub = (bucket - exactBelow) & (subBuckets - 1)
  return (subBuckets + sub + 1) * 2 ** (power + exactBits - subBits)
}

export class Histogram {
  readonly #fields = new Float64Array(bucketCount + 2)

  get count(): number {
    let count = 0
    for (let bucket = 0; bucket < bucketCount; bucket += 1) count += this.#fields[bucket]!
    return count
  }

  get sum(): number {
    return this.#fields[sumAt]!
  }

  get max(): number {
    return this.#fields[maxAt]!
  }

  /** Whole units (microseconds, bytes); fractions are cut, negatives count as 0, what is above counts as 2^31 − 1. */
  record(value: number): void {
    const fields = this.#fields
    const whole = value >= 0 ? (value <= valueMax ? value | 0 : valueMax) : 0
    fields[sumAt]! += whole
    if (whole > fields[maxAt]!) fields[maxAt] = whole
    fields[bucketOf(whole)]! += 1
  }

  /** A value that `fraction` of all values do not exceed, at most an eighth too high. 0 when nothing was recorded. */
  quantile(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.count))
    let seen = 0
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      seen += this.#fields[bucket]!
      if (seen >= rank) return Math.min(endOf(bucket) - 1, this.max)
    }
    return this.max
  }

  /** How many values are at most each bound, bounds ascending: what Prometheus calls cumulative buckets. */
  cumulative(bounds: readonly number[]): number[] {
    let bucket = 0
    let seen = 0
    return bounds.map((bound) => {
      while (bucket < bucketCount && endOf(bucket) - 1 <= bound) {
        seen += this.#fields[bucket]!
        bucket += 1
      }
      return seen
    })
  }
}
