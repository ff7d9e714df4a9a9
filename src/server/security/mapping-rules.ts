// Owns Kafka's ssl.principal.mapping.rules: from the distinguished name of a client's certificate to the name of its principal.
// Not the certificate (distinguished-name.ts).
//
//   rules  = rule, rule …        the first that fits is taken
//   rule   = DEFAULT  |  RULE:pattern/replacement/[L|U]
//
// The pattern has to cover the whole name; `$1` in the replacement is what its first group covered; L and U lower and raise.

import { fail, type Outcome, succeed } from '../../base/outcome.ts'

type Rule = (distinguishedName: string) => string | undefined

export interface MappingRules {
  /** Undefined when no rule fits. */
  nameOf(distinguishedName: string): string | undefined
}

/** A slash or a backslash stands in pattern and replacement with a backslash before it. */
const ruleForm = /^(?:DEFAULT|RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?))(?=\s*(?:,|$))/

function ruleOf(pattern: RegExp, replacement: string, change: string): Rule {
  return (distinguishedName) => {
    const match = pattern.exec(distinguishedName)
    if (match === null) return undefined
    const name = replacement.replaceAll(/\\(.)|\$(\d)/g, (whole, escaped: string | undefined, group: string | undefined) => {
      if (escaped !== undefined) return escaped
      // A group the pattern does not have is meant literally, as in Kafka.
      return group !== undefined && Number(group) < match.length ? (match[Number(group)] ?? '') : whole
    })
    if (change === 'L') return name.toLowerCase()
    return change === 'U' ? name.toUpperCase() : name
  }
}

/** The failure says which rule is wrong, and why. */
export function parseMappingRules(text: string): Outcome<MappingRules, string> {
  const rules: Rule[] = []
  for (let rest = text.trim(); rest !== '';) {
    const match = ruleForm.exec(rest)
    if (match === null)
      return fail(`the rule at \`${rest}\` is neither DEFAULT nor RULE:pattern/replacement/, with L or U after it`)
    const [whole, pattern, replacement = '', change = ''] = match
    if (pattern === undefined) rules.push((name) => name)
    else {
      try {
        rules.push(ruleOf(new RegExp(`^(?:${pattern})$`), replacement, change))
      } catch (cause) {
        // Only a pattern that is none lands here.
        return fail(`\`${pattern}\` is no pattern: ${cause instanceof Error ? cause.message : 'it cannot be read'}`)
      }
    }
    rest = rest.slice(whole.length).replace(/^\s*,?\s*/, '')
  }
  if (rules.length === 0) return fail('there is no rule; DEFAULT takes the whole name')
  return succeed({
    nameOf: (distinguishedName) => {
      for (const rule of rules) {
        const name = rule(distinguishedName)
        if (name !== undefined) return name
      }
      return undefined
    },
  })
}
