// Owns the proof that a setting's least and greatest value are values a node can start with, or are refused before it does.

import { expect, it } from 'vitest'
import { loadSettings } from '../../../../../src/cli/settings/index.ts'
import { settingKeys, settingOf } from '../../../../../src/cli/settings/schema.ts'
import { memoryStore } from '../../../../../tiers/object-store/memory.ts'
import { ManualClock } from '../../../../support/manual-clock.ts'
import { startTestNode } from '../../../../support/test-node.ts'

const extremes = settingKeys.flatMap((key) => {
  const { span } = settingOf(key).kind
  return span === undefined ? [] : [span.min, span.max].map((value) => [key, value] as const)
})

it('knows the ends of many settings', () => {
  expect(extremes.length).toBeGreaterThan(60)
})

it.each(extremes)('%s can be %d, or says why not', async (key, value) => {
  const loaded = loadSettings({ file: undefined, env: {}, argv: [`--${key.replaceAll('.', '-')}`, String(value)] })
  if (!loaded.ok) {
    // Another setting would have to follow: it is named.
    expect(loaded.failure.map(({ detail }) => detail).join(' ')).not.toMatch(/out of range/)
    return
  }
  const clock = new ManualClock()
  const node = await startTestNode({ store: memoryStore({ clock }), clock, change: () => loaded.value.settings })
  await node.createTopic('t')
  await node.produce('t', 3)
  await node.archive('t')
  expect((await node.readAll('t')).endOffset).toBe(3)
  expect(node.failures).toEqual([])
  node.kill()
})
