#!/usr/bin/env node
/** One end of a link, in a process of its own; started by bench.ts. */
import { importTypeScript } from '../../../localstack/bundle.mjs'

const { runEnd } = await importTypeScript('test/bench/transport/end.ts')
await runEnd(JSON.parse(process.argv[2] ?? '{}'))
