#!/usr/bin/env node
/**
 * The command line of the benches: those beside a peer, see peer/command.ts, and Raft's transports beside each other, see transport/bench.ts; or
 * `node test/bench/run.mjs --help`.
 */
import { importTypeScript } from '../../localstack/bundle.mjs'

const [bench, ...rest] = process.argv.slice(2)
const isTransport = bench === 'transport'
const { main } = await importTypeScript(isTransport ? 'test/bench/transport/bench.ts' : 'test/bench/peer/command.ts')
process.exit(await main(isTransport ? rest : process.argv.slice(2)))
