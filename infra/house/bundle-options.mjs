// Owns how our code is bundled. The build uses it, and the house test that runs the S3 client out of a bundle.

// Loaded from node_modules: native addons, for a bundle cannot hold a shared library; pino, which starts helpers by their file names;
// prom-client, which is CommonJS and loaded by import(): bundled, its named exports would be gone (checked for all below).
const external = ['@node-rs/crc32', 'lz4-napi', 'snappy', 'pino', 'prom-client']

// Bundled CommonJS packages call require for Node's own modules; an ES module has none.
const banner =
  "import { createRequire as chronikCreateRequire } from 'node:module'; const require = chronikCreateRequire(import.meta.url);"

/** @type {import('esbuild').BuildOptions & { format: 'esm' }} */
export const bundleOptions = {
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external,
  // ES modules where a package has both: they keep their named exports under import(), and unused code can be left out.
  mainFields: ['module', 'main'],
  banner: { js: banner },
  sourcemap: 'linked',
}
