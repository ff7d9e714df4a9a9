// Owns `npm start`: from a fresh clone to a broker that serves, in one command. Installs and builds what is missing, then becomes
// `chronik start` with what was given after `--`. Needs no package itself.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled, root, run } from './install.mjs'

ensureInstalled()
run(process.execPath, [join(root, 'infra/house/build.mjs')], 'the build failed; its output above says where')
process.argv.splice(2, 0, 'start')
await import(pathToFileURL(join(root, 'bin/chronik.cjs')).href)
