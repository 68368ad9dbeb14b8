import { runInThisContext } from 'node:vm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { UncheckedCells } from '../../../../support/cell-runs.ts'

/** The names that statements may use: those that were declared before. */
interface Names {
  readonly variables: string[]
  readonly functions: string[]
  readonly classes: string[]
}

/** Write a program from random numbers. Each statement uses names that earlier ones declared. */
function writeProgram(numbers: readonly number[]): string[] {
  const names: Names = { variables: [], functions: [], classes: [] }
  let at = 0
  let made = 0
  const next = (below: number): number => (numbers[at++ % numbers.length] ?? 0) % below
  const fresh = (kind: string): string => `${kind}${made++}`
  const pick = (of: readonly string[]): string => of[next(of.length)] ?? '0'
  const expression = (depth = 0): string => {
    switch (next(depth > 2 ? 2 : 6)) {
      case 0:
        return String(next(100))
      case 1:
        return pick(names.variables)
      case 2:
        return names.functions.length === 0 ? '1' : `${pick(names.functions)}()`
      case 3:
        return names.classes.length === 0 ? '2' : `new ${pick(names.classes)}().m()`
      case 4:
        return `(${expression(depth + 1)} + ${expression(depth + 1)}) % 1000`
      default:
        return `(() => ${expression(depth + 1)})()`
    }
  }
  const statement = (): string => {
    const [name, other, value] = [fresh('v'), fresh('v'), expression()]
    const known = pick(names.variables)
    const declares = (text: string, ...variables: string[]): string => {
      names.variables.push(...variables)
      return text
    }
    if (names.variables.length === 0) return declares(`let ${name} = 1`, name)
    switch (next(15)) {
      case 0:
        return declares(`let ${name} = ${value}`, name)
      case 1:
        return declares(
          `let { a: ${name}, b: [, ...{ 0: ${other} }] } = { a: ${value}, b: [0, ${expression()}] }`,
          name,
          other,
        )
      case 2:
        return declares(
          `var [${name} = ${value}, ${other}] = [undefined, ${expression()}]`,
          name,
          other,
        )
      case 3:
        return declares(`for (var ${name} of [${value}, 3]) { ${known} += ${name} }`, name)
      case 4:
        return declares(
          `for (var ${name} = 0; ${name} < 2; ${name}++) { var ${other} = ${name} }`,
          name,
          other,
        )
      case 5: {
        const text = `function ${fresh('f')}() { ${known} += 1; return { ${known} }.${known} }`
        names.functions.push(`f${made - 1}`)
        return text
      }
      case 6: {
        const text = `const ${fresh('f')} = (x = ${value}) => ${known} * 2 + x`
        names.functions.push(`f${made - 1}`)
        return text
      }
      case 7: {
        const text = `class ${fresh('C')} { static s = ${value}; x = ${known}; m() { return this.x + ${known} + C${made - 1}.s } }`
        names.classes.push(`C${made - 1}`)
        return text
      }
      case 8:
        return `${known} = ${value}`
      case 9:
        return `({ ${known}, a: ${pick(names.variables)} = ${value} } = { ${known} })`
      case 10:
        return `[${known}, ${pick(names.variables)}] = [${value}, ${known}]`
      case 11:
        return `{ let ${known} = ${value.replaceAll(known, '5')}; trace(${known}, { ${known} }) }`
      case 12:
        return `${known} = await Promise.resolve(${value})`
      case 13:
        return `trace(\`\${${known}++}\`, --${known}, typeof ${known}, ${pick([...names.functions, 'trace'])}.name)`
      default:
        return `trace(${value}, { ${known}, of: [${pick(names.variables)}] })`
    }
  }
  return Array.from({ length: 14 }, statement)
}

/** Run a function that calls the global `trace`. Returns the arguments of these calls, or the text of its error. */
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

it('a program cut into cells does the same as one script', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(), { minLength: 60, maxLength: 120 }),
      fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
      async (numbers, cuts) => {
        const statements = writeProgram(numbers)
        const whole = `(async () => { 'use strict';\n${statements.join(';\n')}\n})()`
        const expected = await traceOf(() => runInThisContext(whole) as Promise<unknown>)
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
    { numRuns: 60 },
  )
})
