// Owns the proof, in some seeds, that partitions on Raft logs keep what they acknowledge through changes of leaders, and take back what they do not.

import { expect, it } from 'vitest'
import { simulateReplicas } from './replicas.ts'

const seeds = Array.from({ length: 12 }, (_, at) => at + 1)

it('what was acknowledged stays, once and in order, and replicas are the same', { timeout: 120_000 }, async () => {
  const sums: Record<string, number> = {}
  for (const seed of seeds) {
    const { breach, schedule, counts } = await simulateReplicas({ seed })
    expect(breach, `seed ${seed}\n${schedule.join('\n')}`).toBeUndefined()
    for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count
  }
  // What is rare was met.
  for (const what of [
    'acknowledged',
    'led',
    'deposed',
    'taken back',
    'transactions',
    'moved',
    'read by lease',
    'read once confirmed',
  ])
    expect(sums[what], what).toBeGreaterThan(0)
})
