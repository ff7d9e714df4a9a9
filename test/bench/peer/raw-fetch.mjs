/**
 * Owns a fetch client that decodes nothing: its own process, two connections, Fetch v11 in a loop, one request in flight on each.
 * Reads batch headers only, to know where the next request starts. What it measures is the broker's side of reading.
 *
 * usage: node raw-fetch.mjs HOST:PORT TOPIC PARTITIONS BYTES     prints one line of JSON
 *
 * Both connections share the partitions; a single partition is read by both, each for itself. At the end of the log it starts
 * again at offset 0, until BYTES of records have arrived over all.
 */
import { connect } from 'node:net'

const [address = '', topic = '', partitionCount = '1', bytesWanted = '0'] = process.argv.slice(2)
const connections = 2
const maxBytes = 8 * 1024 * 1024
const partitionMaxBytes = 1024 * 1024
const fetchKey = 1
const fetchVersion = 11

const all = Array.from({ length: Number(partitionCount) }, (_, number) => number)
let bytesSeen = 0
/** @type {number[]} */
const latencies = []

/** @param {number[]} partitions @param {Map<number, number>} offsets @param {number} correlation */
function encodeFetch(partitions, offsets, correlation) {
  const name = Buffer.from(topic)
  const buffer = Buffer.alloc(128 + name.length + partitions.length * 28)
  let at = 4
  const int16 = (/** @type {number} */ value) => (at = buffer.writeInt16BE(value, at))
  const int32 = (/** @type {number} */ value) => (at = buffer.writeInt32BE(value, at))
  const int64 = (/** @type {number} */ value) => (at = buffer.writeBigInt64BE(BigInt(value), at))
  const string = (/** @type {Buffer} */ value) => (int16(value.length), (at += value.copy(buffer, at)))
  ;(int16(fetchKey), int16(fetchVersion), int32(correlation), string(Buffer.from('raw-fetch')))
  // replica, wait, least bytes, most bytes, isolation level, session, epoch (-1: no session)
  ;(int32(-1), int32(500), int32(1), int32(maxBytes), (buffer[at++] = 0), int32(0), int32(-1))
  ;(int32(1), string(name), int32(partitions.length))
  for (const partition of partitions) {
    ;(int32(partition), int32(-1), int64(offsets.get(partition) ?? 0), int64(-1), int32(partitionMaxBytes))
  }
  ;(int32(0), int16(0))
  buffer.writeInt32BE(at - 4, 0)
  return buffer.subarray(0, at)
}

/** @param {Buffer} body after the correlation id @param {Map<number, number>} offsets */
function takeFetch(body, offsets) {
  let at = 4
  const error = body.readInt16BE(at)
  if (error !== 0) throw new Error(`the fetch failed with error ${error}`)
  at += 6
  const topics = body.readInt32BE(at)
  at += 4
  for (let t = 0; t < topics; t++) {
    at += 2 + body.readInt16BE(at)
    const partitions = body.readInt32BE(at)
    at += 4
    for (let p = 0; p < partitions; p++) at = takePartition(body, at, offsets)
  }
}

/** @param {Buffer} body @param {number} start @param {Map<number, number>} offsets */
function takePartition(body, start, offsets) {
  const partition = body.readInt32BE(start)
  const error = body.readInt16BE(start + 4)
  if (error !== 0) throw new Error(`partition ${partition} failed with error ${error}`)
  const highWatermark = Number(body.readBigInt64BE(start + 6))
  // partition, error, three offsets, then the aborted transactions (-1 or 0 of them, or 16 bytes each), then the replica to prefer
  const aborted = Math.max(0, body.readInt32BE(start + 30))
  const sizeAt = start + 34 + aborted * 16 + 4
  const size = Math.max(0, body.readInt32BE(sizeAt))
  const records = body.subarray(sizeAt + 4, sizeAt + 4 + size)
  bytesSeen += size
  let next = offsets.get(partition) ?? 0
  for (let at = 0; at + 61 <= records.length;) {
    const length = 12 + records.readInt32BE(at + 8)
    if (at + length > records.length) break
    next = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1
    at += length
  }
  offsets.set(partition, next >= highWatermark ? 0 : next)
  return sizeAt + 4 + size
}

/** @param {number[]} partitions */
function readUntilEnough(partitions) {
  const [host = '127.0.0.1', port = '9092'] = address.split(':')
  return new Promise((resolve, reject) => {
    const offsets = new Map(partitions.map((partition) => [partition, 0]))
    let answer = Buffer.allocUnsafe(maxBytes * 2)
    let filled = 0
    let sentAt = 0
    let correlation = 0
    const onread = { buffer: Buffer.allocUnsafe(512 * 1024), callback: take }
    const socket = connect({ host, port: Number(port), noDelay: true, onread }, send)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the broker closed the connection')))

    function send() {
      sentAt = performance.now()
      socket.write(encodeFetch(partitions, offsets, ++correlation))
    }

    /** @param {number} count @param {Uint8Array} chunk */
    function take(count, chunk) {
      if (filled + count > answer.length) {
        const larger = Buffer.allocUnsafe(answer.length * 2)
        answer.copy(larger, 0, 0, filled)
        answer = larger
      }
      answer.set(chunk.subarray(0, count), filled)
      filled += count
      if (filled < 4) return true
      const size = 4 + answer.readInt32BE(0)
      if (filled < size) return true
      latencies.push(performance.now() - sentAt)
      try {
        takeFetch(answer.subarray(8, size), offsets)
      } catch (error) {
        socket.destroy()
        reject(error)
        return false
      }
      filled = 0
      if (bytesSeen < Number(bytesWanted)) send()
      else {
        socket.removeAllListeners('close').destroy()
        resolve(undefined)
      }
      return true
    }
  })
}

const startedAt = performance.now()
const share = (/** @type {number} */ index) =>
  all.length < connections ? all : all.filter((number) => number % connections === index)
await Promise.all(Array.from({ length: connections }, (_, index) => readUntilEnough(share(index))))
const seconds = (performance.now() - startedAt) / 1000
latencies.sort((a, b) => a - b)
const percentile = (/** @type {number} */ part) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))]
console.log(
  JSON.stringify({ bytes: bytesSeen, seconds, requests: latencies.length, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }),
)
