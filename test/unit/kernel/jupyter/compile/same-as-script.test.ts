import { runInThisContext } from 'node:vm'
import fc from 'fast-check'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { UncheckedCells } from '../../../../support/cell-runs.ts'
import { writeProgram } from '../../../../support/random-program.ts'

const statementCount = 14

/** Run something that calls the global `trace`. Returns its arguments and the error, as text. */
async function traceOf(run: () => Promise<unknown>): Promise<string> {
  const traced: unknown[] = []
  Object.defineProperty(globalThis, 'trace', {
    value: (...of: unknown[]) => void traced.push(of),
    configurable: true,
  })
  try {
    await run()
  } catch (error) {
    traced.push(String(error))
  }
  return JSON.stringify(traced)
}

/** Compile a program to one function. */
function asScript(statements: readonly string[]): string {
  const { outputText } = ts.transpileModule(`${statements.join(';\n')}\nexport {}`, {
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.Preserve },
  })
  return `(async () => { 'use strict';\n${outputText.replace(/^export \{\};$/mu, '')}\n})()`
}

it('a program cut into cells does the same as one script', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(), { minLength: 60, maxLength: 120 }),
      fc.array(fc.boolean(), { minLength: statementCount, maxLength: statementCount }),
      async (numbers, cuts) => {
        const statements = writeProgram(numbers, statementCount)
        const script = asScript(statements)
        const expected = await traceOf(() => runInThisContext(script) as Promise<unknown>)
        const found = await traceOf(async () => {
          const cells = new UncheckedCells()
          let cell = ''
          for (const [index, statement] of statements.entries()) {
            cell += `${statement};\n`
            if (cuts[index] === false) continue
            await cells.run(cell)
            cell = ''
          }
          await cells.run(cell)
        })
        expect(found).toBe(expected)
      },
    ),
    { numRuns: 40 },
  )
})
