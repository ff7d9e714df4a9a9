// Owns the types of bundle-options.mjs.
import type { BuildOptions } from 'esbuild'

export declare const bundleOptions: BuildOptions
