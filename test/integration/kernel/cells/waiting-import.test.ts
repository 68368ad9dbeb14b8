import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start({
    'hangs.ts': 'await new Promise(() => {})\nexport const value = 1',
    'behind.ts': "export { value } from './hangs.ts'",
  })
})
afterAll(() => session[Symbol.asyncDispose]())

describe('an import of a module whose top-level await never ends', () => {
  it.each([
    ['of the cell', "import { value } from './behind.ts'\nvalue"],
    ['as a function', "const { value } = await import('./behind.ts')\nvalue"],
  ])('%s: the cell says which module it waits for, and an interrupt ends it', async (_, code) => {
    await session.print('let kept = 42')
    const ended = session.run(code)
    await expect
      .poll(() => session.printed, { timeout: 30_000 })
      .toBe(
        "The cell waits for './behind.ts': an await outside of functions has not ended, there or in a module that it imports. An interrupt ends the cell.\n",
      )
    session.runner.interrupt()
    expect((await ended).error).toMatch(/^KeyboardInterrupt/u)
    expect(await session.print('console.log(kept)')).toBe('42')
  })

  it('runs again once the module is corrected', async () => {
    await session.write({ 'hangs.ts': 'export const value = 2' })
    expect(await session.print("import { value } from './behind.ts'\nconsole.log(value)")).toBe('2')
  })
})
