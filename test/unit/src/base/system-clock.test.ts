import { expect, it, vi } from 'vitest'
import { systemClock } from '../../../../src/base/node/system-clock.ts'

it('a delay longer than a timer of Node can wait is waited for, not skipped', () => {
  vi.useFakeTimers()
  try {
    const dayMs = 86_400_000
    const called: string[] = []
    systemClock.after(60 * dayMs, () => called.push('late'))
    const cancel = systemClock.after(60 * dayMs, () => called.push('never'))
    vi.advanceTimersByTime(30 * dayMs)
    cancel()
    vi.advanceTimersByTime(30 * dayMs - 1)
    expect(called).toEqual([])
    vi.advanceTimersByTime(1)
    expect(called).toEqual(['late'])
  } finally {
    vi.useRealTimers()
  }
})
