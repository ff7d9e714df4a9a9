// Owns the bundle: src/cli/main.ts as dist/chronik.js, and every *-worker.ts, as ES modules. Code splitting keeps what is heavy and not
// always needed (the S3 client, metrics, zstd) in chunks that load when first used: a start takes tens of milliseconds.

import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { root } from './install.mjs'

// Native addons are loaded from node_modules: a bundle cannot hold a shared library. pino starts helpers by their file names.
const external = ['@node-rs/crc32', 'lz4-napi', 'snappy', 'pino']

// Bundled CommonJS packages call require for Node's own modules; an ES module has none.
const banner =
  "import { createRequire as chronikCreateRequire } from 'node:module'; const require = chronikCreateRequire(import.meta.url);"

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
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external,
  banner: { js: banner },
  sourcemap: 'linked',
  define: { chronikBuildVersion: JSON.stringify(version) },
  metafile: true,
  logLevel: 'warning',
})

// Chunks of earlier builds go last: until here, a broker that runs from dist/ still finds the chunk it is about to load.
const fresh = new Set(Object.keys(result.metafile.outputs))
for (const path of readdirSync(outdir, { recursive: true, encoding: 'utf8' })) {
  const name = join('dist', path)
  if (/\.(js|js\.map)$/.test(name) && !fresh.has(name)) rmSync(join(root, name))
}
process.stderr.write(`chronik: built dist/ in ${Date.now() - startedAtMs} ms\n`)
