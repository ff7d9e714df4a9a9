// Owns `npm run docs`: writes the settings table into docs/configuration.md, between its two marks. A test asserts that it is fresh.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './install.mjs'

const path = join(root, 'docs/configuration.md')
const [begin, end] = ['<!-- settings: written by npm run docs -->\n', '<!-- end of settings -->']

const { outputFiles } = await build({
  entryPoints: [join(root, 'src/cli/settings/documentation.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
})
const { settingsMarkdown } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
)
const before = readFileSync(path, 'utf8')
const [from, to] = [before.indexOf(begin) + begin.length, before.indexOf(end)]
if (from < begin.length || to < from) throw new Error(`${path} has lost its marks`)
writeFileSync(path, `${before.slice(0, from)}\n${settingsMarkdown()}\n${before.slice(to)}`)
