// Owns the proof that a partition which cannot be compacted keeps no other one waiting.

import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { encodeBatch } from '../../../src/protocol/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { startTestNode } from '../../support/test-node.ts'

describe('a partition that cannot be compacted', () => {
  it('does not keep the others waiting', async () => {
    const clock = new ManualClock()
    const node = await startTestNode({
      store: memoryStore({ clock }),
      clock,
      seed: 1,
      change: (settings) => ({ ...settings, cleaner: { ...settings.cleaner, dedupeBufferBytes: 120 } }),
    })
    const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' }
    for (const [topic, keys] of [
      ['broad', 20],
      ['narrow', 1],
    ] as const) {
      await node.createTopic(topic, 1, configs)
      const records = Array.from({ length: 20 }, (_, at) => ({
        offset: at,
        timestamp: clock.nowMs(),
        key: Buffer.from(`k${at % keys}`),
        value: Buffer.from('v'),
        headers: [],
      }))
      await drive(
        clock,
        new Promise((resolve) =>
          node.partition(topic).append({ records: encodeBatch({ records }, { crc32c }), acks: -1 }, resolve as never),
        ),
      )
      await node.archive(topic)
    }
    for (let turn = 0; turn < 4; turn += 1) await drive(clock, node.parts.compactor.runOnce())
    expect(node.partition('narrow').state.cleanedEndOffset).toBe(20)
    node.kill()
  })
})
