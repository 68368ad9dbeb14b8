import { expect, it } from 'vitest'
import { chooseFile } from '../../../../kernel/src/run/run-files.ts'

it('names the nodes that have a file, and no other, when it has to be said which is meant', () => {
  const file = (node: string, problem: string | null) => ({
    ...{ node, sliver: `1@${node}`, path: 'a.csv', number: 0, problem },
    ...(problem === null ? { bytes: 2, sha256: 'ab' } : { bytes: null, sha256: null }),
  })
  const files = [file('n1', null), file('n2', 'there is no such file'), file('n3', null)]
  const choose = (on: string | null) => chooseFile(files, { run: 'probe', wanted: 'a.csv', on })
  expect(() => choose(null)).toThrow(/one of those that have a\.csv: n1, n3/u)
  expect(choose('1@n3')).toBe(files[2])
  expect(() => choose('1@n2')).toThrow(/of n2: there is no such file/u)
})
