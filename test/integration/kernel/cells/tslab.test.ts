import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

const published = resolve(import.meta.dirname, '../../../../node_modules/tslab/dist/public')

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

describe('import * as tslab', () => {
  it('has the display interface of tslab', async () => {
    const { result, error, complaint } = await session.run(
      "import * as tslab from 'tslab'\ntslab.display.html('<b>1</b>')\ntslab.newDisplay().text('one')\nObject.keys(tslab.versions)",
    )
    expect([complaint, error, result]).toEqual([null, null, "[ 'tslab', 'typescript', 'node' ]"])
  })

  it('has the types of the package', async () => {
    const { complaint } = await session.run(
      [
        `import type * as published from '${published}'`,
        'const asPublished: Omit<typeof published, never> = tslab',
        'const asOurs = (of: typeof published): Omit<typeof tslab, "default"> => of',
        'const back = (of: published.Display): tslab.Display => of',
        'const wrong: string = tslab.newDisplay()',
      ].join('\n'),
    )
    expect(complaint).toMatch(
      /^cell-\d+\.ts:5:7 - Type 'Display' is not assignable to type 'string'\. \(TS2322\)$/u,
    )
  })
})
