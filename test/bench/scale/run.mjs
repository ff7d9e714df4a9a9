#!/usr/bin/env node
/** node test/bench/scale/run.mjs [topics] [partitions per topic] */
import { importTypeScript } from '../../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/bench/scale/bench.ts')
process.exit(await main(process.argv.slice(2)))
