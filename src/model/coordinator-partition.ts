// Owns which partition of `__consumer_offsets` a group lives in, and of `__transaction_state` a transactional id: Kafka's own rule, so
// that a log written by either is read by both.

/** Java's String.hashCode: signed 32 bits over UTF-16 units. */
function javaHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

export function coordinatorPartitionOf(id: string, partitionCount: number): number {
  const hash = javaHash(id)
  // The one number without a positive twin counts as 0.
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitionCount
}
