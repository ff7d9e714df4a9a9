/** Owns the steps of kafka-acls. */
import { expect, it } from 'vitest'
import { type Differential, tools } from './differential.ts'
import { slowMs } from './names.ts'

const acls = `${tools}.AclCommand`

export function aclSteps(kafka: Differential): void {
  it('kafka-acls adds, lists, refuses and removes', { timeout: slowMs }, async () => {
    const add = (...args: readonly string[]) => kafka.same(acls, '--add', ...args)
    const list = (...args: readonly string[]) => kafka.same(acls, '--list', ...args)
    expect((await list()).code).toBe(0)
    expect((await add('--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 'orders')).code).toBe(0)
    await add('--deny-principal', 'User:bob', '--deny-host', '10.0.0.1', '--operation', 'All', '--topic', '*')
    await add('--allow-principal', 'User:alice', '--producer', '--topic', 'orders', '--transactional-id', 'desk')
    await add('--allow-principal', 'User:alice', '--consumer', '--topic', 'orders', '--group', 'readers')
    await add('--allow-principal', 'User:carol', '--operation', 'Describe', '--cluster')
    const prefixed = ['--resource-pattern-type', 'prefixed', '--topic', 'or']
    await add('--allow-principal', 'User:carol', '--operation', 'Write', '--operation', 'Create', ...prefixed)
    await list()
    await list('--topic', 'orders')
    await list('--topic', 'orders', '--resource-pattern-type', 'match')
    await list('--group', 'readers', '--resource-pattern-type', 'any')
    await list('--principal', 'User:carol')
    await list('--principal', 'User:nobody')
    await list('--topic', 'nothing')
    for (const wrong of [
      ['--allow-principal', 'alice', '--operation', 'Read', '--topic', 'orders'],
      ['--allow-principal', 'User:alice', '--operation', 'Dream', '--topic', 'orders'],
      ['--allow-principal', 'User:alice', '--operation', 'Read'],
      ['--operation', 'Read', '--topic', 'orders'],
      ['--allow-principal', 'User:alice', '--operation', 'Write', '--group', 'readers'],
      ['--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 'orders', '--resource-pattern-type', 'any'],
      ['--allow-principal', 'User:alice', '--operation', 'Read', '--cluster'],
    ])
      expect((await add(...wrong)).code, wrong.join(' ')).toBe(1)
    const remove = (...args: readonly string[]) => kafka.same(acls, '--remove', '--force', ...args)
    await remove('--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 'orders')
    await list('--topic', 'orders')
    await remove('--topic', 'orders')
    await remove('--allow-principal', 'User:carol', '--operation', 'Write', ...prefixed)
    await list()
    await remove('--topic', '*', '--resource-pattern-type', 'any')
    for (const rest of [prefixed, ['--group', 'readers'], ['--transactional-id', 'desk'], ['--cluster']]) await remove(...rest)
    expect((await list()).lines).toEqual([])
  })
}
