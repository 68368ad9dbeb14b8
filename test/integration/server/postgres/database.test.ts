import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { openDatabase } from '../../../../server/src/postgres/database.ts'

it.each([
  ['postgres://lab:secret@/registry?host=/nowhere', 'postgres://lab@/registry?host=/nowhere'],
  ['postgres://lab:secret@127.0.0.1:1/registry', 'postgres://lab@127.0.0.1:1/registry'],
])('a database that cannot be opened is named without its password: %s', async (url, shown) => {
  const error: unknown = await openDatabase({ url, onLost: () => undefined }).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(LabError.is(error, 'LAB_DATABASE_UNUSABLE') && error.details.database).toBe(shown)
})
