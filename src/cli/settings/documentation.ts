// Owns the settings as text for people: the table of docs/configuration.md and what `--help` lists. Both come from the schema.

import { environmentOf, flagsOf, settingKeys, settingOf } from './schema.ts'

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** One Markdown table per section, in the schema's order. */
export function settingsMarkdown(): string {
  const lines: string[] = []
  let section = ''
  for (const key of settingKeys) {
    const current = key.slice(0, key.indexOf('.'))
    if (current !== section) {
      section = current
      lines.push(
        '',
        `### ${section}`,
        '',
        '| key | default | value | environment | flag | what it does |',
        '|---|---|---|---|---|---|',
      )
    }
    const { kind, default: initial, doc, environmentLast } = settingOf(key)
    const names = [...environmentOf(key).map(code), ...(environmentLast ?? []).map((name) => `${code(name)} (last)`)]
    const initialShown = initial.includes(' ') ? initial : code(initial)
    lines.push(
      `| ${[code(key), initialShown, kind.name, names.join(', '), flagsOf(key).map(code).join(', '), cell(doc)].join(' | ')} |`,
    )
  }
  return `${lines.slice(1).join('\n')}\n`
}

export function settingsHelp(): string {
  const lines = settingKeys.map((key) => {
    const { kind, default: initial, doc } = settingOf(key)
    const head = `  ${flagsOf(key).join(', ')} <${kind.name}>`
    return `${head}\n      ${doc}${initial === '' ? '' : ` Default: ${initial}`}`
  })
  return [
    'Settings (also in the file given by --config, and as CHRONIK_… in the environment; file < environment < flags):',
    ...lines,
    '  --topic-defaults <name=value;…>\n      Defaults of topics by their Kafka names, for instance retention.ms=86400000',
    '  --listener-tls <listener.setting=value;…>\n      TLS of single listeners by the names of section tls, for instance INTERNAL.certificate-file=node.pem',
  ].join('\n')
}
