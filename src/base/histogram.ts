// Owns counting how values spread, in plain fields: `record` costs a few nanoseconds, everything dearer happens when somebody looks.
// Not metric names nor exposition (server/http).
//
// Buckets are log-linear: values below 16 have one each; above, every power of two is cut into 8, so a bucket is at most an eighth
// as wide as its values.
//
//   value       0 … 15   16 … 31 (8 × 2)   32 … 63 (8 × 4)   …   2^31 … 2^32−1 (8 × 2^28)   above
//   bucket      0 … 15   16 … 23           24 … 31           …   232 … 239                  239

const exactBelow = 16
const exactBits = 4
const subBits = 3
const subBuckets = 1 << subBits
const highestBit = 31
const bucketCount = exactBelow + (highestBit - exactBits + 1) * subBuckets
const valueMax = 2 ** 32 - 1

function bucketOf(value: number): number {
  if (value < exactBelow) return value
  const bit = highestBit - Math.clz32(value)
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
  count = 0
  sum = 0
  max = 0
  // Doubles: exact to 2^53, where 32-bit counters of a busy broker would wrap within a day.
  readonly #counts = new Float64Array(bucketCount)

  /** Whole units (microseconds, bytes); fractions are cut, negatives count as 0, what is above 2^32 counts in the last bucket. */
  record(value: number): void {
    const whole = value >= 0 ? (value <= valueMax ? value >>> 0 : valueMax) : 0
    this.count += 1
    this.sum += whole
    if (whole > this.max) this.max = whole
    this.#counts[bucketOf(whole)]! += 1
  }

  /** A value that `fraction` of all values do not exceed, at most an eighth too high. 0 when nothing was recorded. */
  quantile(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.count))
    let seen = 0
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      seen += this.#counts[bucket]!
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
        seen += this.#counts[bucket]!
        bucket += 1
      }
      return seen
    })
  }
}
