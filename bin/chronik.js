#!/usr/bin/env node
// Owns nothing but the way to dist/chronik.js, which `npm run build` makes.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('../dist/chronik.js', import.meta.url)
if (existsSync(fileURLToPath(main))) {
  await import(main.href)
} else {
  process.stderr.write(
    'chronik: dist/ is missing. Build it with `npm ci && npm run build`, or do all at once with `npm start`.\n',
  )
  process.exitCode = 2
}
