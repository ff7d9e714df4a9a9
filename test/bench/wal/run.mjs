#!/usr/bin/env node
/** node test/bench/wal/run.mjs [seconds per load] [folder on the disk to measure] */
import { importTypeScript } from '../../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/bench/wal/bench.ts')
await main(process.argv.slice(2))
