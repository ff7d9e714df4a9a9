#!/usr/bin/env node
/** The command line of the Raft traces: see command.ts, or `node test/raft-traces/run.mjs --help`. */
import { importTypeScript } from '../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/raft-traces/command.ts')
process.exit(main(process.argv.slice(2)))
