#!/usr/bin/env node
/** The command line of the Raft simulation: see command.ts, or `node test/sim/raft/run.mjs --help`. */
import { importTypeScript } from '../../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/sim/raft/command.ts')
process.exit(await main(process.argv.slice(2)))
