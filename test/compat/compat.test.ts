/** A part of kafka-python's own suite; all of it, and beside Apache Kafka: `npm run compat -- kafka-python`. */
import { expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { judge } from './command.ts'
import { kafkaPython, readReport } from './kafka-python.ts'

describeWithTools(['python'], 'Clients’ own suites:', () => {
  it('kafka-python’s tests of its producer pass', { timeout: 300_000 }, async () => {
    const only = 'test_end_to_end or test_transactional_producer or test_admin_client or test_create_delete_topics'
    const { results, findings } = await judge(kafkaPython, { against: ['chronik'], only })
    const outcomes = [...(results.chronik ?? [])]
    process.stdout.write(`${JSON.stringify(outcomes)}\n`)
    expect(findings).toEqual([])
    expect(outcomes.filter(([, outcome]) => outcome === 'passed').length).toBeGreaterThan(5)
  })
})

it('pytest’s report tells passed, failed and skipped tests apart', () => {
  const xml = `<testsuites><testsuite tests="4"><testcase classname="test.integration.test_a" name="one" time="1" />
<testcase classname="test.integration.test_a" name="two[x]" time="1"><failure message="no">trace</failure></testcase>
<testcase classname="test.integration.test_b" name="three" time="1"><skipped message="why" /></testcase>
<testcase classname="test.integration.test_b" name="four" time="1"><error message="set-up">trace</error></testcase></testsuite></testsuites>`
  expect([...readReport(xml)]).toEqual([
    ['test_a::one', 'passed'],
    ['test_a::two[x]', 'failed'],
    ['test_b::three', 'skipped'],
    ['test_b::four', 'failed'],
  ])
})
