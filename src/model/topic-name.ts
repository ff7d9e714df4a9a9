// Owns what a topic may be called. Not whether it exists.

/** Kafka's rule for topic names; the message when it is broken. */
export function topicNameFault(name: string): string | undefined {
  if (name.length === 0) return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > 249)
    return `Topic name is invalid: the length of '${name.slice(0, 32)}…' is longer than the max allowed length 249`
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return undefined
}
