// The door of the WAL's pure half: formats, the gathering of a commit, the judgement over a file.

export { type CommitHeader, commitHeaderBytes, type CommitPlace, commitSalt, gatherBytes, OpenCommit } from './commit.ts'
export {
  chainSeed,
  decodeFileHeader,
  encodeFileHeader,
  type FileHeader,
  formatVersion,
  sameBytes,
  walIdBytes,
} from './file-header.ts'
export { batchBytesMin, type Bytes, bytesOf, entryAt, frameHeaderBytes, frameVerdict, kindAt, payloadLengthAt } from './frame.ts'
export { alignUp, walLimits } from './limits.ts'
export {
  type Corruption,
  type DamageReason,
  FileScan,
  findCommit,
  type ScanListener,
  type ScanNeed,
  type ScanPlan,
  type ScanWindow,
} from './scan.ts'
