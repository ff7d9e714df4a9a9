/**
 * Runs a TypeScript entry on Node 20, which cannot read TypeScript itself: bundles it with esbuild, packages left outside, into
 * node_modules/.cache (so that they still resolve) and imports the result.
 */
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * @param {string} entry path of a .ts file, relative to the repository's root
 * @param {import('esbuild').Plugin[]} [plugins]
 * @returns {Promise<any>} its module
 */
export async function importTypeScript(entry, plugins = []) {
  const folder = join(root, 'node_modules', '.cache', 'chronik')
  await mkdir(folder, { recursive: true })
  const outfile = join(folder, `${entry.replaceAll(/[^a-z0-9]+/gi, '-')}.${process.pid}.mjs`)
  try {
    await build({
      entryPoints: [resolve(root, entry)],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      packages: 'external',
      sourcemap: 'inline',
      logLevel: 'warning',
      plugins,
    })
    return await import(pathToFileURL(outfile).href)
  } finally {
    await rm(outfile, { force: true })
  }
}
