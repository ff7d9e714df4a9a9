// Owns matching transactional ids by a client's regular expression. RE2 (as Kafka's RE2/J): its time is linear in the text, so that no
// expression of a client can hold up the event loop. Loaded when one is used first.

import { RE2JS } from 're2js'

const everything = (): boolean => true

/** Undefined: the expression is none. */
export function matcherOf(pattern: string | null): ((id: string) => boolean) | undefined {
  if (pattern === null || pattern === '') return everything
  try {
    const compiled = RE2JS.compile(pattern)
    return (id) => compiled.matches(id)
  } catch {
    return undefined
  }
}
