/** Owns whether a core does what a trace says: at level 3, every event in order, every key of every node's state. */
import { isDeepStrictEqual } from 'node:util'
import {
  changeSimply,
  type Configuration,
  emptyConfiguration,
  enterJoint,
  jointIndex,
  jointVote,
  leaveJoint,
} from '../../src/raft/core/index.ts'
import { Progress } from '../../src/raft/core/progress.ts'
import { Harness } from './harness.ts'
import { readChanges, showConfiguration } from './show.ts'
import type { ChangeStep, QuorumCase, Trace, TraceFile } from './trace-file.ts'

/** The first difference, in words; undefined when there is none. */
export function differenceIn(file: TraceFile): string | undefined {
  switch (file.format) {
    case 'raft-trace/1':
      return differenceInTrace(file)
    case 'quorum-vectors/1':
      return firstOf(file.cases, differenceInQuorum)
    case 'confchange-vectors/1':
      return differenceInChanges(file.cases)
    case 'confchange-sequences/1':
      return firstOf(file.cases, ({ steps }) => differenceInChanges(steps))
    default:
      return `of a format that is not known: ${String((file as { format?: unknown }).format)}`
  }
}

function firstOf<Case>(cases: readonly Case[], differenceOf: (one: Case) => string | undefined): string | undefined {
  for (const [at, one] of cases.entries()) {
    const difference = differenceOf(one)
    if (difference !== undefined) return `case ${at}: ${difference}`
  }
  return undefined
}

const told = (what: string, expected: unknown, actual: unknown): string =>
  `${what}\n    expected ${JSON.stringify(expected)}\n    got      ${JSON.stringify(actual)}`

/** As JSON tells it: what is absent and what is undefined are the same. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

function differenceInTrace({ mode, commands }: Trace): string | undefined {
  const harness = new Harness(mode)
  const expected: Record<string, Record<string, unknown>> = {}
  for (const command of commands) {
    const where = `command ${command.i} (${command.cmd} ${JSON.stringify(command.args)})`
    let outcome
    try {
      outcome = harness.run(command)
    } catch (error) {
      return `${where}: ${(error as Error).stack ?? String(error)}`
    }
    const events = command.events ?? []
    const happened = plain(outcome.events) as readonly object[]
    for (let at = 0; at < Math.max(events.length, happened.length); at += 1) {
      if (!isDeepStrictEqual(events[at], happened[at])) return told(`${where}, event ${at}`, events[at], happened[at])
    }
    if (outcome.err !== command.err) return told(`${where}, its error`, command.err, outcome.err)
    for (const [id, keys] of Object.entries(command.state ?? {})) expected[id] = { ...expected[id], ...keys }
    const state = plain(harness.state()) as Record<string, Record<string, unknown>>
    for (const [id, keys] of Object.entries(expected)) {
      for (const [key, value] of Object.entries(keys)) {
        if (!isDeepStrictEqual(value, state[id]?.[key])) return told(`${where}, ${key} of node ${id}`, value, state[id]?.[key])
      }
    }
    if (harness.inFlight !== command.net) return told(`${where}, messages in flight`, command.net, harness.inFlight)
  }
  return undefined
}

function differenceInQuorum({ op, voters, outgoing, acks, votes, result }: QuorumCase): string | undefined {
  const sets = { incoming: new Set(voters), outgoing: new Set(outgoing ?? []) }
  const found =
    op === 'committed' ? jointIndex(sets, (id) => acks?.[String(id)] ?? 0) : jointVote(sets, (id) => votes?.[String(id)])
  const shown = found === Infinity ? 'inf' : found
  return shown === result ? undefined : told(op, result, shown)
}

/** Each step begins where the last that succeeded ended; what is known of each member's log is kept as a leader keeps it. */
function differenceInChanges(steps: readonly ChangeStep[]): string | undefined {
  let configuration: Configuration = emptyConfiguration
  const progress = new Map<number, Progress>()
  for (const [at, step] of steps.entries()) {
    const changes = readChanges(step.changes)
    const outcome =
      step.op === 'simple'
        ? changeSimply(configuration, changes)
        : step.op === 'leave-joint'
          ? leaveJoint(configuration)
          : enterJoint(configuration, changes, step.autoLeave ?? false)
    if (typeof outcome === 'string') {
      if (step.err !== outcome) return told(`step ${at}, ${step.op}`, step.err ?? step.conf, outcome)
      continue
    }
    ;({ configuration } = outcome)
    const shown = showConfiguration(configuration)
    if (!isDeepStrictEqual(step.conf, shown)) return told(`step ${at}, ${step.op}`, step.conf ?? step.err, shown)
    for (const id of outcome.dropped) progress.delete(id)
    const { voters, votersOutgoing, learners, learnersNext } = configuration
    for (const id of [...voters, ...votersOutgoing, ...learners, ...learnersNext]) {
      if (!progress.has(id)) {
        const next = Math.max(step.lastIndex, 1)
        progress.set(id, new Progress({ match: 0, next, isLearner: false, inflight: { messagesMax: 1, bytesMax: 0 } }))
      }
      progress.get(id)!.isLearner = learners.includes(id)
    }
    const known = [...progress]
      .sort(([left], [right]) => left - right)
      .map(([id, { match, next, state, isLearner }]) => ({ id, match, next, state, ...(isLearner ? { learner: true } : {}) }))
    if (!isDeepStrictEqual(step.progress, known)) return told(`step ${at}, progress`, step.progress, known)
  }
  return undefined
}
