// Owns one change of a consumer group while it is planned: records, and the state as they will make it; and handing them on to be
// stored. Not what changes (heartbeat.ts, departure.ts, upgrade.ts, …) nor what follows (turns.ts).

import { assert } from '../../../base/assert.ts'
import type { GroupRecord } from '../durable.ts'
import { ConsumerTurns, type Group } from '../group.ts'
import type { ConsumerChanged } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { type ConsumerRecord, ConsumerState, isConsumerRecord } from './state.ts'

/** A state beside the stored one: a record is applied to it as it will be once it is stored, so that the two cannot differ. */
export class Draft {
  readonly groupId: string
  readonly records: GroupRecord[] = []
  readonly #base: ConsumerState
  #changed: ConsumerState | undefined

  constructor(groupId: string, base: ConsumerState = new ConsumerState()) {
    this.groupId = groupId
    this.#base = base
  }

  get state(): ConsumerState {
    return this.#changed ?? this.#base
  }

  write(record: ConsumerRecord): void {
    this.#changed ??= this.#base.copy()
    this.#changed.apply(record)
    this.records.push(record)
  }

  /** For a record of the classic group in whose place this one comes. */
  writeClassic(record: GroupRecord): void {
    assert(!isConsumerRecord(record), 'GROUP-15: a record of a consumer group goes through its state')
    this.records.push(record)
  }
}

export function turnsOf(group: Group): ConsumerTurns {
  group.turns ??= new ConsumerTurns()
  return group.turns
}

/** Asks for the change to be stored; until it is, or is not, nothing else of the group has its turn. */
export function storeChange(
  shard: Shard,
  group: Group,
  records: readonly GroupRecord[],
  then: Omit<ConsumerChanged, 'kind' | 'groupId'>,
): void {
  const turns = turnsOf(group)
  assert(!turns.isBusy, 'GROUP-15: one change of a consumer group is on its way')
  turns.isBusy = true
  shard.append(group, records, { kind: 'consumer', groupId: group.groupId, ...then })
}
