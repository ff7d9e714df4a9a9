// Owns `chronik dump object` of WAL objects, fences, and the JSON records of lives and disks. Not the formats (tiers/stream,
// recovery).

import { crc32c } from '../../base/node/native-crc32c.ts'
import { OpError } from '../../base/op-error.ts'
import { inspectStreamObject, noTopic, type StreamPart } from '../../../tiers/stream/index.ts'
import type { Line } from '../ports.ts'
import { entryLines, type Opener, time, Wrongs } from './dump-entry.ts'

interface Shown {
  readonly open: Opener
  readonly wrongs: Wrongs
}

function* linesOf(part: StreamPart, group: number, { open, wrongs }: Shown): Generator<Line> {
  switch (part.kind) {
    case 'fence': {
      const { byLife, by, atMs } = part.fence
      yield { text: `fence of life ${byLife}, set by ${by} at ${time(atMs)}: the writer ends here`, json: part }
      return
    }
    case 'header': {
      const { life, node, createdMs } = part.header
      yield { text: `WAL object of node ${node}, life ${life}, ${time(createdMs)}`, json: { kind: 'header', ...part.header } }
      return
    }
    case 'trailer': {
      const { term, footerPosition, footerLength } = part.trailer
      const text = `  term ${term}; footer at ${footerPosition}, ${footerLength} bytes`
      yield { text, json: { kind: 'trailer', term, footerPosition, footerLength } }
      return
    }
    case 'group': {
      const { entries, topicId, partition, position, length } = part.group
      const whose = topicId === noTopic ? 'metadata' : `${topicId}-${partition}`
      const text = `  group ${part.group.group} (${whose}): ${entries.length} entries, ${length} bytes of batches at ${position}`
      yield {
        text,
        json: { kind: 'group', group: part.group.group, topicId, partition, position, length, entries: entries.length },
      }
      return
    }
    case 'entry': {
      const { entry, position, payload } = part
      const { kind, index, term } = entry
      const at = kind === 'batch' ? ` at ${position}` : ''
      const text = `    ${kind} term ${term} index ${index}${at}:`
      const json = { kind, group, term, index, ...(kind === 'batch' ? { at: position } : {}) }
      yield* entryLines({ kind, payload, text, json }, open, wrongs)
    }
  }
}

export function* dumpWalObject(bytes: Uint8Array, open: Opener): Generator<Line> {
  const wrongs = new Wrongs()
  let group = -1
  for (const part of inspectStreamObject(bytes, crc32c)) {
    if (part.kind === 'group') group = part.group.group
    yield* linesOf(part, group, { open, wrongs })
  }
  if (wrongs.count > 0)
    throw new OpError('corrupt', {
      code: 'WAL_OBJECT_DAMAGED',
      detail: `${wrongs.count} places are damaged, the first: ${wrongs.first}`,
    })
}

/** Claim, opening, heartbeat, identity.json: a line per field, times readable. */
export function* dumpJson(bytes: Uint8Array, name: string): Generator<Line> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new OpError('corrupt', { code: 'NO_JSON', detail: `${name} begins like JSON and is none`, cause })
  }
  const shown = Object.entries(value as Record<string, unknown>).map(([field, one]) => {
    const isTime = typeof one === 'number' && /AtMs$/.test(field)
    return `${field}: ${isTime ? `${time(one)} (${one})` : JSON.stringify(one)}`
  })
  yield { text: shown.join('\n'), json: { kind: 'json', ...(value as object) } }
}
