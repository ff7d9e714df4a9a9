#!/usr/bin/env node
/** Installs what the tests need into the cache folder: see setup.ts, or `node test/support/tools/setup.mjs --help`. */
import { importTypeScript } from '../../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/support/tools/setup.ts')
process.exit(await main(process.argv.slice(2)))
