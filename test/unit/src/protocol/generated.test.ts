// Owns the proof that what is committed under generated/ is what the definitions say, and that a difference would be noticed.

import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { apiEntries, apiEntryOf, ApiKey } from '../../../../src/protocol/generated/api-table.ts'
import { ErrorCode, errorName, isRetriable } from '../../../../src/protocol/generated/errors.ts'
import { topicConfigs } from '../../../../src/protocol/generated/topic-configs.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const generator = join(root, 'infra/codegen/generate.mjs')
const copies: string[] = []
afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true })
})

function copyOfRoom(): string {
  const copy = mkdtempSync(join(tmpdir(), 'codegen-'))
  copies.push(copy)
  for (const folder of ['messages', 'generated'])
    cpSync(join(root, 'src/protocol', folder), join(copy, 'src/protocol', folder), { recursive: true })
  return copy
}

function check(where: string): { readonly status: number | null; readonly stale: readonly string[] } {
  const run = spawnSync(process.execPath, [generator, '--check', '--root', where], { encoding: 'utf8' })
  return { status: run.status, stale: [...run.stderr.matchAll(/^stale: (.*)$/gm)].map((match) => match[1] as string) }
}

test(
  'the committed files are what the generator writes, and a change, a gap or a left-over is named and mended',
  { timeout: 120_000 },
  () => {
    const copy = copyOfRoom()
    const generated = join(copy, 'src/protocol/generated')
    appendFileSync(join(generated, 'produce.ts'), '// planted\n')
    rmSync(join(generated, 'fetch.ts'))
    writeFileSync(join(generated, 'left-over.ts'), '')
    // Exactly the planted ones are stale, so the other files are fresh; mending shows that these two were as well.
    expect(check(copy)).toEqual({
      status: 1,
      stale: ['fetch.ts', 'left-over.ts', 'produce.ts'].map((name) => `src/protocol/generated/${name}`),
    })
    execFileSync(process.execPath, [generator, '--root', copy])
    for (const name of ['produce.ts', 'fetch.ts']) {
      expect(readFileSync(join(generated, name), 'utf8')).toBe(readFileSync(join(root, 'src/protocol/generated', name), 'utf8'))
    }
    expect(existsSync(join(generated, 'left-over.ts'))).toBe(false)
  },
)

test('the table of APIs knows what Kafka advertises', () => {
  expect(apiEntries.length).toBe(91)
  expect(apiEntryOf(ApiKey.Produce)).toMatchObject({
    name: 'Produce',
    versionMin: 3,
    versionMax: 13,
    advertisedMin: 0,
    codecMin: 0,
    firstFlexible: 9,
  })
  expect(apiEntryOf(ApiKey.InitProducerId)).toMatchObject({ versionMax: 6, advertisedMax: 5 })
  for (const key of [-1, 4, 5, 6, 7, 95, 32767, NaN]) expect(apiEntryOf(key)).toBeUndefined()
})

test('error codes are found by name and by number', () => {
  expect(ErrorCode.NOT_LEADER_OR_FOLLOWER).toBe(6)
  expect([errorName(6), errorName(0), errorName(9999)]).toEqual(['NOT_LEADER_OR_FOLLOWER', 'NONE', 'UNKNOWN_SERVER_ERROR'])
  expect([isRetriable(6), isRetriable(87)]).toEqual([true, false])
})

test('topic configs carry type, default and the broker config behind them', () => {
  expect(topicConfigs.length).toBe(38)
  expect(topicConfigs.find(({ name }) => name === 'cleanup.policy')).toMatchObject({
    type: 'LIST',
    default: 'delete',
    brokerSynonym: 'log.cleanup.policy',
  })
})
