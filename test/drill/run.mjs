#!/usr/bin/env node
/** The drill: see command.ts, or `node test/drill/run.mjs --help`. */
import { importTypeScript } from '../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/drill/command.ts')
process.exit(await main(process.argv.slice(2)))
