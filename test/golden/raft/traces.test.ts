/**
 * The Raft core against recordings of a reference (go.etcd.io/raft v3.7.0, Apache-2.0): every event in order, all state. The format is told
 * in README.md beside this file; other folders of such files: `npm run raft:traces -- DIR`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { differenceIn } from '../../raft-traces/compare.ts'
import type { TraceFile } from '../../raft-traces/trace-file.ts'

const folder = join(import.meta.dirname, 'traces')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.json'))
  .sort()
const read = (name: string): TraceFile => JSON.parse(readFileSync(join(folder, name), 'utf8')) as TraceFile

describe('the Raft core does what the reference does', () => {
  it.each(files)('%s', (name) => {
    expect(differenceIn(read(name))).toBeUndefined()
  })

  it('in all the recordings there are', () => {
    expect(files.length).toBe(112)
  })
})

describe('a difference is found', () => {
  interface Loose {
    events?: Array<Record<string, unknown>>
    state?: Record<string, Record<string, unknown>>
    net: number
    err?: string
  }
  const found = (change: (commands: Loose[]) => void): string | undefined => {
    const copy = structuredClone(read(join('etcd', 'campaign.json')))
    change((copy as unknown as { readonly commands: Loose[] }).commands)
    return differenceIn(copy)
  }
  const firstEvents = (commands: readonly Loose[]): Array<Record<string, unknown>> =>
    commands.find(({ events }) => events !== undefined)?.events ?? []

  it('in an event', () => {
    expect(found((commands) => void (firstEvents(commands)[0]!['after'] = []))).toContain('event 0')
  })

  it('in an event too many', () => {
    expect(found((commands) => void firstEvents(commands).push({ ev: 'recv' }))).toContain('"ev":"recv"')
  })

  it('in the state of a node', () => {
    const change = (commands: readonly Loose[]): void => {
      const state = commands.find((command) => command.state?.['1']?.['commit'] !== undefined)?.state?.['1']
      state!['commit'] = 77
    }
    expect(found(change)).toContain('commit of node 1')
  })

  it('in the messages in flight, and in an error', () => {
    expect(found((commands) => void (commands.at(-1)!.net += 1))).toContain('in flight')
    expect(found((commands) => void (commands.at(-1)!.err = 'proposal-dropped'))).toContain('its error')
  })
})
