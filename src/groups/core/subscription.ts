// Owns reading which topics a consumer says it subscribes to, from the blob that brokers otherwise pass on unread. Trusts nothing
// in it. Not the rest of the consumer protocol, which is the clients' business.

import type { Group } from './group.ts'

const utf8 = new TextDecoder('utf-8')

/** The topics of one subscription (int16 version, then an array of int16-length strings); undefined if it cannot be read. */
export function readSubscribedTopics(bytes: Uint8Array): readonly string[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6) return undefined
  const count = view.getInt32(2)
  const topics: string[] = []
  let at = 6
  // Each topic takes two bytes at least, so a hostile count ends at the end of the bytes.
  for (let left = count; left > 0; left -= 1) {
    if (at + 2 > bytes.length) return undefined
    const length = view.getInt16(at)
    at += 2
    if (length < 0 || at + length > bytes.length) return undefined
    topics.push(utf8.decode(bytes.subarray(at, at + length)))
    at += length
  }
  return topics
}

/** Every topic some member subscribes to; undefined when it is not a consumer group, has not agreed yet, or cannot be read. */
export function subscribedTopics(group: Group): Set<string> | undefined {
  if (group.protocolType !== 'consumer' || group.protocolName === undefined) return undefined
  const all = new Set<string>()
  for (const member of group.members.values()) {
    const topics = readSubscribedTopics(group.metadataOf(member))
    if (topics === undefined) return undefined
    for (const topic of topics) all.add(topic)
  }
  return all
}
