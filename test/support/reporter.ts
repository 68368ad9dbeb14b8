import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** The results of a project's tests, which `npm test` adds up. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** The failed tests, with the reasons. */
  readonly failures: readonly string[]
  readonly leftOut: readonly string[]
}

const reasonLines = 12

/** Writes the counts to the file COMMUNITY_LAB_TEST_COUNTS. Without this variable it writes nothing. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[] = [],
  ): void {
    const file = process.env['COMMUNITY_LAB_TEST_COUNTS']
    if (file === undefined) return
    writeFileSync(file, JSON.stringify(countModules(modules, unhandledErrors)))
  }
}

function countModules(
  modules: readonly TestModule[],
  unhandledErrors: readonly SerializedError[],
): Counts {
  const failures: string[] = []
  const leftOut: string[] = []
  let passed = 0
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const name = `${module.relativeModuleId}: ${test.fullName}`
      const { state, errors } = test.result()
      if (state === 'passed') passed += 1
      else if (state === 'skipped') leftOut.push(name)
      // A test that is still pending at the end has no result.
      else failures.push([name, ...(errors ?? []).map(reasonOf)].join('\n  '))
    }
    // A file that does not load, or a hook that fails, is reported here and not by a test.
    const suites = [...module.children.allSuites()]
    for (const error of [...module.errors(), ...suites.flatMap((suite) => suite.errors())])
      failures.push(`${module.relativeModuleId}: ${error.message}`)
  }
  for (const error of unhandledErrors) failures.push(`unhandled: ${error.message}`)
  return { passed, failed: failures.length, skipped: leftOut.length, failures, leftOut }
}

/** Return the beginning of an error and its position, so that the end of the output is enough to understand it. */
function reasonOf({ message, stacks }: SerializedError): string {
  const [at] = stacks ?? []
  const lines = stripVTControlCharacters(message).split('\n').slice(0, reasonLines)
  if (at !== undefined) lines.push(`at ${at.file}:${at.line}`)
  return lines.join('\n  ')
}
