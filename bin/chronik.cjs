#!/usr/bin/env node
// Owns nothing but the way to dist/chronik.js, which `npm run build` makes. CommonJS, because loading an ES module starts the thread
// pool, and its size must be said before.
require('./thread-pool.cjs')
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const main = join(__dirname, '../dist/chronik.js')
if (existsSync(main)) {
  import(pathToFileURL(main).href)
} else {
  process.stderr.write(
    'chronik: dist/ is missing. Build it with `npm ci && npm run build`, or do all at once with `npm start`.\n',
  )
  process.exitCode = 2
}
