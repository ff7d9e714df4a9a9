// Owns the beat of the sign of life: nothing that is slow beside it keeps it back.

import { expect, it } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { Heartbeat } from '../../../recovery/running/heartbeat.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { ManualClock, turns } from '../../support/manual-clock.ts'

it('goes on while a look at the bucket is not answered, and looks once at a time', async () => {
  const clock = new ManualClock()
  const store = memoryStore()
  let looks = 0
  let answer = (): void => undefined
  const heartbeat = new Heartbeat({
    store,
    life: 1,
    node: 1,
    intervalMs: 1000,
    clock,
    log: silentLog,
    look: () => {
      looks += 1
      return new Promise((resolve) => {
        answer = resolve
      })
    },
  })
  await heartbeat.start()
  for (let beat = 1; beat <= 3; beat += 1) {
    clock.advance(1000)
    await turns()
    expect(heartbeat.lastSuccessMs).toBe(beat * 1000)
  }
  expect(looks).toBe(1)
  answer()
  await turns()
  clock.advance(1000)
  await turns()
  expect(looks).toBe(2)
  const closed = heartbeat.close()
  answer()
  await closed
})
