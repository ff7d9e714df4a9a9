#!/usr/bin/env node
/** The command line of localstack/: see command.ts, or `node localstack/run.mjs --help`. */
import { importTypeScript } from './bundle.mjs'

const { main } = await importTypeScript('localstack/command.ts')
process.exit(await main(process.argv.slice(2)))
