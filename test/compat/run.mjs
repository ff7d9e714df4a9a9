#!/usr/bin/env node
/** The command line of the client suites: see command.ts, or `node test/compat/run.mjs --help`. */
import { importTypeScript } from '../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/compat/command.ts')
process.exit(await main(process.argv.slice(2)))
