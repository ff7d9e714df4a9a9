// Owns the proof that docs/kafka-compatibility.md says what the code does, and that each difference from Kafka has its reason.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { apiEntries } from '../../../../src/protocol/index.ts'
import { compatibilityMarkdown, compatibilityOf, differencesSaid } from '../../../../src/server/compatibility.ts'
import { servedApis } from '../../../../src/server/handlers/registry.ts'
import { guards } from '../../../../src/server/guard/cluster-guards.ts'
import { defaultLimits } from '../../../../src/server/index.ts'
import type { HandlerPorts } from '../../../../src/server/ports.ts'

/** No handler is asked anything here. */
const { apis } = servedApis({ limits: defaultLimits } as HandlerPorts, () => [])

test('the guide has the table that the code makes (npm run docs)', () => {
  const guide = readFileSync(new URL('../../../../docs/kafka-compatibility.md', import.meta.url), 'utf8')
  expect(guide).toContain(compatibilityMarkdown(apis))
})

test('each difference has a reason, and no reason stands for what does not differ', () => {
  const rows = compatibilityOf(apis)
  expect(rows.filter(({ differs, reason }) => differs && reason === undefined).map(({ entry }) => entry.name)).toEqual([])
  const differing = new Set(rows.filter(({ differs }) => differs).map(({ entry }) => entry.name as string))
  expect([...differencesSaid()].filter((name) => !differing.has(name))).toEqual([])
})

test('the table has every API of the broker’s listener, once', () => {
  const keys = compatibilityOf(apis).map(({ entry }) => entry.key)
  expect(keys).toEqual(apiEntries.filter(({ onBroker }) => onBroker).map(({ key }) => key))
  expect(new Set(keys).size).toBe(keys.length)
  expect(apis.every(({ entry }) => keys.includes(entry.key))).toBe(true)
})

test('every API that is served has a guard: while ACLs are asked, one without is refused to everybody', () => {
  expect(apis.map(({ entry }) => entry.name).filter((name) => guards[name] === undefined)).toEqual([])
})
