// Owns `npm run docs`: writes what comes from the code into the guides, between marks: the settings into docs/configuration.md, the APIs
// into docs/kafka-compatibility.md. Tests assert that both are fresh.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './install.mjs'

const { outputFiles } = await build({
  stdin: {
    contents: [
      "export { settingsMarkdown } from './src/cli/settings/documentation.ts'",
      "export { compatibilityMarkdown } from './src/server/compatibility.ts'",
      "export { servedApis } from './src/server/handlers/registry.ts'",
    ].join('\n'),
    resolveDir: root,
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
})
const { compatibilityMarkdown, servedApis, settingsMarkdown } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
)

/** @param {string} name @param {string} mark @param {string} text */
function write(name, mark, text) {
  const path = join(root, 'docs', name)
  const [begin, end] = [`<!-- ${mark}: written by npm run docs -->\n`, `<!-- end of ${mark} -->`]
  const before = readFileSync(path, 'utf8')
  const [from, to] = [before.indexOf(begin) + begin.length, before.indexOf(end)]
  if (from < begin.length || to < from) throw new Error(`${path} has lost its marks`)
  writeFileSync(path, `${before.slice(0, from)}\n${text}\n${before.slice(to)}`)
}

write('configuration.md', 'settings', settingsMarkdown())
// No handler is asked anything: the ports it would ask may be missing.
write('kafka-compatibility.md', 'apis', compatibilityMarkdown(servedApis({ limits: {} }, () => []).apis))
