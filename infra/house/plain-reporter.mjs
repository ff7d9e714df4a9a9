// Owns the count of a test run for infra/house/test.mjs: test cases that passed, failed and were skipped, by name, as one JSON file.
// The path comes in CHRONIK_TEST_COUNT_FILE.

import { writeFileSync } from 'node:fs'

export default class PlainReporter {
  /**
   * A test file that could not be loaded, a suite whose set-up failed and an error outside any test count as one failure each:
   * a run that executed nothing must not look green.
   */
  onTestRunEnd(modules, unhandledErrors, reason) {
    const path = process.env.CHRONIK_TEST_COUNT_FILE
    if (path === undefined) return
    const count = { passed: 0, failed: [], skipped: [], reason }
    for (const module of modules) {
      if (module.errors().length > 0) count.failed.push(`${module.relativeModuleId}: the file did not load`)
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0)
          count.failed.push(`${module.relativeModuleId} > ${suite.fullName}: set-up or tear-down failed`)
      }
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        const name = `${module.relativeModuleId} > ${test.fullName}`
        if (state === 'passed') count.passed += 1
        else if (state === 'skipped') count.skipped.push(name)
        else count.failed.push(state === 'failed' ? name : `${name}: did not finish`)
      }
    }
    for (const error of unhandledErrors) count.failed.push(`outside any test: ${error.message}`)
    writeFileSync(path, JSON.stringify(count))
  }
}
