// Owns what the standalone replicator promises: entries commit in order when they are durable, one notice a group commit; and the life
// guard: after a pause nothing is acknowledged until this life has proved itself.

import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../../src/base/log.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import { LifeGuard, LocalLogs } from '../../../../src/local-log/index.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../../../src/model/ids.ts'
import { ManualClock, turns } from '../../../support/manual-clock.ts'
import { WalDisk } from '../../../support/wal-disk.ts'

const payload = Uint8Array.of(1, 2, 3)
const fresh = { lastIndex: logIndex(0), streamedIndex: logIndex(0) }
const [one, two] = [groupNumber(1), groupNumber(2)]

let clock: ManualClock
let disk: WalDisk
let told: string[]
let handedOn: string[]
let proofs: Array<{ readonly succeed: () => void; readonly fail: (error: unknown) => void }>
let guard: LifeGuard
let logs: LocalLogs
let fatal: unknown[]

beforeEach(() => {
  clock = new ManualClock()
  disk = new WalDisk()
  told = []
  handedOn = []
  proofs = []
  fatal = []
  guard = new LifeGuard({
    clock,
    log: silentLog,
    prove: () =>
      new Promise<void>((succeed, fail) => {
        proofs.push({ succeed, fail })
      }),
  })
  logs = new LocalLogs({
    wal: disk.open().wal,
    term: leaderEpoch(4),
    guard,
    listener: {
      onCommitted: (group, index) => told.push(`committed ${group}:${index}`),
      onStreamed: (group, index) => told.push(`streamed ${group}:${index}`),
    },
    sinkOf: () => ({
      add: ({ group, index, term }, urgent) => handedOn.push(`${group}:${index} term ${term}${urgent ? ' urgent' : ''}`),
    }),
    onFatal: (error) => fatal.push(error),
  })
})

describe('the local logs', () => {
  it('commit what is durable, in order, with one notice a group and group commit, and hand it on to the bucket', async () => {
    const [first, second] = [logs.open(one, fresh, false), logs.open(two, fresh, true)]
    disk.held = true
    expect([first.propose('batch', payload), second.propose('batch', payload), first.propose('control', payload)]).toEqual([
      1, 1, 2,
    ])
    await turns()
    expect([told, handedOn, first.committedIndex]).toEqual([[], [], 0])
    disk.release()
    await turns()
    expect(told).toEqual(['committed 1:2', 'committed 2:1'])
    expect(handedOn).toEqual(['1:1 term 4', '2:1 term 4 urgent', '1:2 term 4'])
    first.propose('node', payload)
    await turns()
    expect([told.at(-1), handedOn.length]).toEqual(['committed 1:3', 3])
  })

  it('go on behind what was recovered, and are told what is streamed', async () => {
    const log = logs.open(one, { lastIndex: logIndex(41), streamedIndex: logIndex(40) }, false)
    expect([log.committedIndex, log.streamedIndex]).toEqual([41, 40])
    logs.streamed(one, logIndex(41))
    expect(log.propose('batch', payload)).toBe(42)
    expect(() => {
      logs.streamed(one, logIndex(42))
    }).toThrow('LOG-2')
    await turns()
    logs.streamed(one, logIndex(42))
    expect(told).toEqual(['streamed 1:41', 'committed 1:42', 'streamed 1:42'])
  })

  it('settle when all that was proposed is committed, and tell the oldest file that is not', async () => {
    const log = logs.open(one, fresh, false)
    await logs.settled()
    disk.held = true
    log.propose('batch', payload)
    let isSettled = false
    void logs.settled().then(() => (isSettled = true))
    await turns()
    expect([isSettled, logs.oldestPendingFile]).toEqual([false, 1])
    disk.release()
    await turns()
    expect([isSettled, logs.oldestPendingFile, handedOn.length]).toEqual([true, undefined, 1])
  })

  it('let the entries of a closed group commit all the same', async () => {
    const log = logs.open(one, fresh, false)
    log.propose('batch', payload)
    logs.close(one)
    await turns()
    logs.streamed(one, logIndex(1))
    expect([handedOn, told]).toEqual([['1:1 term 4'], ['committed 1:1']])
  })

  it('take nothing after their end, and whoever waits is told', async () => {
    const log = logs.open(one, fresh, false)
    disk.held = true
    log.propose('batch', payload)
    const settled = logs.settled()
    const reason = new OpError('fenced', { code: 'FENCED', detail: 'over' })
    logs.end(reason)
    await expect(settled).rejects.toBe(reason)
    await expect(logs.settled()).rejects.toBe(reason)
    expect(() => log.propose('batch', payload)).toThrow('FENCED')
  })

  it('end when the disk fails: the entry is never committed and the node is told once', async () => {
    const { wal } = disk.open()
    wal.durable = () => Promise.reject(new OpError('closed', { code: 'WAL_DEAD', detail: 'EIO' }))
    const failing = new LocalLogs({
      wal,
      term: leaderEpoch(1),
      guard,
      listener: { onCommitted: () => told.push('committed'), onStreamed: () => undefined },
      sinkOf: () => ({ add: () => handedOn.push('added') }),
      onFatal: (error) => fatal.push(error),
    })
    const log = failing.open(one, fresh, false)
    log.propose('batch', payload)
    await turns()
    expect([told, handedOn, fatal.length]).toEqual([[], [], 1])
    expect(() => log.propose('batch', payload)).toThrow('WAL_FAILED')
  })
})

/** The process is held still: time passes, no timer of it runs. */
function pause(ms: number): void {
  const before = clock.monotonicMs()
  clock.monotonicMs = () => before + ms
}

describe('the life guard', () => {
  it('lets acknowledgements pass at once while the process runs', () => {
    for (let second = 0; second < 50; second += 1) clock.advance(100)
    let passed = 0
    guard.whenAllowed(() => (passed += 1))
    expect([passed, guard.pauses, proofs.length]).toEqual([1, 0, 0])
  })

  it('holds them back after a pause, and lets them go in order when the bucket has proved the life', async () => {
    pause(501)
    const passed: number[] = []
    guard.whenAllowed(() => passed.push(1))
    guard.whenAllowed(() => passed.push(2))
    expect([passed, guard.pauses, proofs.length]).toEqual([[], 1, 1])
    proofs[0]!.succeed()
    await turns()
    guard.whenAllowed(() => passed.push(3))
    expect(passed).toEqual([1, 2, 3])
  })

  it('never opens again when the proof fails, nor when it is closed', async () => {
    pause(600)
    const passed: number[] = []
    guard.whenAllowed(() => passed.push(1))
    proofs[0]!.fail(new OpError('fenced', { code: 'FENCED', detail: 'over' }))
    await turns()
    guard.whenAllowed(() => passed.push(2))
    guard.close()
    guard.whenAllowed(() => passed.push(3))
    expect([passed, proofs.length]).toEqual([[], 1])
  })

  it('does not mind a pause that is too short for anybody to have taken over', () => {
    pause(500)
    let passed = 0
    guard.whenAllowed(() => (passed += 1))
    expect([passed, guard.pauses]).toEqual([1, 0])
  })

  it('closed while the process runs well, lets nothing pass any more', () => {
    guard.close()
    let passed = 0
    guard.whenAllowed(() => (passed += 1))
    clock.advance(1_000)
    expect(passed).toBe(0)
  })
})
