// The door of the drill's judgement.

export { compareFingerprints, type Difference, type DifferenceKind } from './compare.ts'
export {
  type BatchPrint,
  type CommittedPrint,
  type ConfigPrint,
  type Fingerprint,
  type GroupPrint,
  type MemberPrint,
  type PartitionPrint,
  type PrintSize,
  sizeOf,
  type TimeAnswer,
  type TopicPrint,
} from './fingerprint.ts'
export { type Acknowledged, type Durability, judgeLoss, type LossOfDurability, type LossReport } from './loss.ts'
