// Owns the bundle: src/cli/main.ts as dist/chronik.js, and every *-worker.ts, as ES modules. Code splitting keeps what is heavy and not
// always needed (the S3 client, metrics, zstd) in chunks that load when first used: a start takes tens of milliseconds.

import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { bundleOptions } from './bundle-options.mjs'
import { root } from './install.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** @param {string} folder */
function workers(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('-worker.ts'))
    .map((path) => join(folder, path))
}

const outdir = join(root, 'dist')
const startedAtMs = Date.now()
const result = await build({
  absWorkingDir: root,
  entryPoints: [
    { in: 'src/cli/main.ts', out: 'chronik' },
    // Flat names: a worker is found beside chronik.js, whatever folder it came from.
    ...['src', 'tiers', 'recovery'].flatMap(workers).map((path) => ({ in: path, out: basename(path, '.ts') })),
  ],
  outdir,
  chunkNames: 'chunks/[name]-[hash]',
  ...bundleOptions,
  define: { chronikBuildVersion: JSON.stringify(version) },
  metafile: true,
  logLevel: 'warning',
})

const { inputs } = result.metafile
for (const [path, { imports }] of Object.entries(inputs)) {
  const lost = imports.find((one) => one.kind === 'dynamic-import' && inputs[one.path]?.format === 'cjs')
  if (lost === undefined || path.startsWith('node_modules/')) continue
  process.stderr.write(
    `chronik: ${path} loads ${lost.path} by import(); bundled CommonJS has no named exports. Add it to external.\n`,
  )
  process.exit(1)
}

// Chunks of earlier builds go last: until here, a broker that runs from dist/ still finds the chunk it is about to load.
const fresh = new Set(Object.keys(result.metafile.outputs))
for (const path of readdirSync(outdir, { recursive: true, encoding: 'utf8' })) {
  const name = join('dist', path)
  if (/\.(js|js\.map)$/.test(name) && !fresh.has(name)) rmSync(join(root, name))
}
process.stderr.write(`chronik: built dist/ in ${Date.now() - startedAtMs} ms\n`)
