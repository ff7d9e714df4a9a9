#!/usr/bin/env node
/** The command line of the benches beside a peer: see peer/command.ts, or `node test/bench/run.mjs --help`. */
import { importTypeScript } from '../../localstack/bundle.mjs'

const { main } = await importTypeScript('test/bench/peer/command.ts')
process.exit(await main(process.argv.slice(2)))
