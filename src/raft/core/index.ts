// The door of the Raft core: pure, one group at a time.
export {
  changed,
  changeSimply,
  type ChangeRefusal,
  type Configuration,
  emptyConfiguration,
  enterJoint,
  isVoter,
  leaveJoint,
  membersOf,
  type MembershipChange,
  type NodeChange,
} from './configuration.ts'
export { type EntryId, limited, type Proposal, type RaftEntry } from './entry.ts'
export type { RaftOptions, ReadState, Role } from './member.ts'
export {
  appendQueue,
  applyQueue,
  isStorageQueue,
  message,
  type MessageType,
  nobody,
  type RaftMessage,
  type RaftSnapshot,
} from './message.ts'
export { majorityIndex, majorityVote, jointIndex, jointVote, type VoteResult } from './quorum.ts'
export type { HardState, RaftStart } from './raft.ts'
export { type NodeRefusal, RaftNode, type Ready, type SoftState } from './ready.ts'
export type { LogGap, StableLog } from './stable-log.ts'
export { NodeSupport, type SupportAnswer, type SupportMessage, type SupportRequest, type SupportSettings } from './support.ts'
