// Owns the claims about ssl.principal.mapping.rules; the cases are those of Kafka's own SslPrincipalMapperTest.

import { describe, expect, it } from 'vitest'
import { parseMappingRules } from '../../../../../src/server/security/mapping-rules.ts'

function mapped(rules: string, name: string): string | undefined {
  const parsed = parseMappingRules(rules)
  if (!parsed.ok) throw new Error(parsed.failure)
  return parsed.value.nameOf(name)
}

describe('mapping rules', () => {
  const rules = [
    'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L',
    'RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L',
    'RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U',
    'RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U',
    'DEFAULT',
  ].join(', ')

  it.each([
    ['CN=Duke,OU=ServiceUsers,O=Org,C=US', 'duke'],
    ['CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US', 'duke@sme'],
    ['cn=duke,ou=sme,dc=mycp,dc=com', 'DUKE@SME'],
    ['O=mycp,cn=duke', 'DUKE'],
    ['O=mycp', 'O=mycp'],
  ])('%s becomes %s', (name, expected) => {
    expect(mapped(rules, name)).toBe(expected)
  })

  it('takes slashes and commas in a pattern when they are marked, and several rules beside each other', () => {
    expect(mapped(String.raw`RULE:^CN=([^,\/]+)\/(.*),O=x$/$2\/$1/`, 'CN=a/b,O=x')).toBe('b/a')
    expect(mapped('RULE:^CN=(.*?),.*$/$1/,RULE:^O=(.*)$/$1/', 'O=x')).toBe('x')
  })

  it('replaces by what groups covered, and leaves a group that is not there as it stands', () => {
    expect(mapped('RULE:^CN=(.*)$/$1-$2-$0/', 'CN=a')).toBe('a-$2-CN=a')
    expect(mapped(String.raw`RULE:^CN=(.*)$/\$1/`, 'CN=a')).toBe('$1')
  })

  it('says nothing when no rule fits the whole name', () => {
    expect(mapped('RULE:^CN=(.*?),O=x$/$1/', 'CN=a,O=y')).toBeUndefined()
    expect(mapped('RULE:CN=(a)/$1/', 'CN=abc')).toBeUndefined()
  })

  it.each([
    '',
    'default',
    'DEFAUL',
    'DEFAULTL',
    'RULE:CN=a',
    'RULE:^CN=(.*?),.*$/$1',
    'RULE:^CN=(.*?),.*$/$1/L/U',
    'RULE:^CN=(.*?),.*$/L',
    'RULE:([/x/',
    'RULE:(/x/',
  ])('refuses %j', (text) => {
    const parsed = parseMappingRules(text)
    expect(parsed.ok).toBe(false)
  })
})
