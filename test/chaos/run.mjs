#!/usr/bin/env node
/** The command line of the chaos drills: see command.ts, or `node test/chaos/run.mjs --help`. */
import { importTypeScript } from '../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/chaos/command.ts')
process.exit(await main(process.argv.slice(2)))
