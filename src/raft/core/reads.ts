// Owns where the answer to a linearizable read goes: to this node's owner, or to the member that passed it on.

import type { Member } from './member.ts'
import { nobody, type RaftMessage } from './message.ts'
import { broadcastHeartbeat } from './replication.ts'

/** `request` is answered once a quorum has confirmed that this leader still leads. */
export function startRead(member: Member, request: RaftMessage): void {
  if (member.options.reads === 'lease-based') {
    answerRead(member, request, member.log.committed)
    return
  }
  const number = member.reads.add(member.log.committed, request)
  member.reads.confirm(member.id, number, member.voters)
  broadcastHeartbeat(member, number)
}

export function answerRead(member: Member, request: RaftMessage, index: number): void {
  if (request.from === nobody || request.from === member.id) {
    member.readStates.push({ index, context: request.readContext })
  } else {
    member.send('read-index-response', request.from, { index, readContext: request.readContext })
  }
}
