// Owns matching transactional ids by a client's regular expression. Not which expressions are taken (groups).

import { compileExpression } from '../../../groups/index.ts'

const everything = (): boolean => true

/** Undefined: the expression is none. */
export function matcherOf(pattern: string | null): ((id: string) => boolean) | undefined {
  if (pattern === null || pattern === '') return everything
  const expression = compileExpression(pattern)
  return expression === undefined ? undefined : (id) => expression.matches(id)
}
