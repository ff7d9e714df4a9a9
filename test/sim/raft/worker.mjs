#!/usr/bin/env node
/**
 * Owns running some seeds in a process of its own, a planted fault in the product's source if one is named, and telling each run in a line
 * of JSON. Started by run.mjs.
 */
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { importTypeScript } from '../../../localstack/bundle.mjs'
import { mutants } from './mutants.mjs'

const root = new URL('../../../', import.meta.url).pathname
const order = JSON.parse(process.argv[2] ?? '{}')

/** @param {string} name */
function planted(name) {
  const mutant = mutants.find((one) => one.name === name)
  if (mutant === undefined) throw new Error(`no fault is called '${name}'`)
  /** @type {import('esbuild').Plugin} */
  const plugin = {
    name: 'planted-fault',
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (relative(root, path) !== mutant.file) return undefined
        const contents = await readFile(path, 'utf8')
        const pieces = contents.split(mutant.find)
        if (pieces.length !== 2)
          throw new Error(`'${mutant.name}': its place stands ${pieces.length - 1} times in ${mutant.file}`)
        return { contents: pieces.join(mutant.put), loader: 'ts' }
      })
    },
  }
  return plugin
}

const { simulate } = await importTypeScript(
  'test/sim/raft/simulation.ts',
  order.mutant === undefined ? [] : [planted(order.mutant)],
)
for (let seed = order.from; seed < order.end; seed += order.step) {
  const without = new Set(order.without ?? [])
  const result = await simulate({ seed, without, ...(order.profile === undefined ? {} : { profile: order.profile }) })
  // What has passed needs no schedule.
  const { schedule, ...facts } = result
  process.stdout.write(`${JSON.stringify(result.breach === undefined ? facts : { ...facts, schedule })}\n`)
  if (result.breach !== undefined && order.untilBreach === true) break
}
process.exit(0)
