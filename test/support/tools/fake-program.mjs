/** Owns a stand-in for the broker's program, for the tests of broker.ts alone: listens, says it is ready, and ends when asked. */
import { appendFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'

const option = (/** @type {string} */ name) => process.argv[process.argv.indexOf(name) + 1] ?? ''
const port = (/** @type {string} */ address) => Number(address.split(':')[1])

if (process.argv.includes('--fail')) {
  console.error('told to fail')
  process.exit(7)
}
appendFileSync(join(option('--data-dir'), 'lives'), `${process.pid}\n`)
console.log(JSON.stringify({ store: process.env['OBJECT_STORE_BACKEND'], bucket: process.env['S3_BUCKET'] }))
createServer().listen(port(option('--kafka-listen')), '127.0.0.1')
createHttpServer((_, response) => response.end('ready')).listen(port(option('--http-listen')), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
