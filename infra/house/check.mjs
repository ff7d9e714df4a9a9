// Owns `npm run check`: every wall, two at a time, each with its time; the output of those that fail is shown in full. One argument
// or more runs only the steps of these names.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureInstalled, root } from './install.mjs'

const tool = (path) => [process.execPath, join(root, 'node_modules', path)]

/** The longest first, so that the two lanes end together. */
const steps = [
  { name: 'eslint', command: [...tool('eslint/bin/eslint.js'), '--max-warnings', '0', '.'] },
  { name: 'tsc', command: [...tool('typescript/bin/tsc'), '-p', 'tsconfig.json'] },
  {
    name: 'rooms',
    command: [
      ...tool('dependency-cruiser/bin/dependency-cruise.mjs'),
      '-c',
      'infra/house/rooms.cjs',
      '-T',
      'err-long',
      'src',
      'tiers',
      'recovery',
    ],
  },
  { name: 'prettier', command: [...tool('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'] },
  { name: 'pure', command: [...tool('typescript/bin/tsc'), '-p', 'infra/house/tsconfig.pure.json'] },
  { name: 'generated', command: [process.execPath, 'infra/codegen/generate.mjs', '--check'] },
]

const lanes = 2

/** @returns {Promise<boolean>} */
function runStep({ name, command: [program, ...args] }) {
  const startedAtMs = Date.now()
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = []
    child.stdout.on('data', (chunk) => output.push(chunk))
    child.stderr.on('data', (chunk) => output.push(chunk))
    child.on('error', (error) => output.push(Buffer.from(`${error.message}\n`)))
    child.on('close', (code, signal) => {
      const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
      process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds.padStart(6)} s\n`)
      if (code !== 0)
        process.stdout.write(`${Buffer.concat(output).toString()}${signal === null ? '' : `ended by ${signal}\n`}\n`)
      resolve(code === 0)
    })
  })
}

ensureInstalled()
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name))
if (unknown.length > 0) {
  process.stderr.write(`check: no step ${unknown.join(', ')}; there are ${steps.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const queue = wanted.length === 0 ? [...steps] : steps.filter(({ name }) => wanted.includes(name))
const outcomes = []
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) outcomes.push(await runStep(step))
  }),
)
process.exitCode = outcomes.every(Boolean) ? 0 : 1
