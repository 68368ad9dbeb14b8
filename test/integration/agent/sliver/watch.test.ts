import { expect, it } from 'vitest'
import type { ProcessIdentity } from '../../../../agent/src/sliver/host/process.ts'
import { createWatch } from '../../../../agent/src/sliver/host/watch.ts'

const first: ProcessIdentity = { pid: 1, startTicks: 1, bootId: 'now' }
const other: ProcessIdentity = { ...first, pid: 2 }

it('takes a process that cannot be looked at for neither ended nor forgotten, and looks after the others', async () => {
  const answers = ['EMFILE', 'ENOMEM', 'EIO', 'alive', 'ended'] as const
  let look = 0
  const said: string[] = []
  const ended = Promise.withResolvers<null>()
  const watch = createWatch({
    everyMs: 1,
    isAlive({ pid }) {
      if (pid === 2) return Promise.resolve(false)
      const answer = answers[look++]
      if (answer === 'alive' || answer === 'ended') return Promise.resolve(answer === 'alive')
      return Promise.reject(Object.assign(new Error('no'), { code: answer }))
    },
    onEnded(key) {
      said.push(`${key} ended`)
      if (key === 'first') ended.resolve(null)
    },
    onError: (key) => said.push(`${key} cannot be looked at`),
  })
  watch.add('first', first)
  watch.add('other', other)
  await ended.promise
  await watch.close()
  expect(said).toEqual(['first cannot be looked at', 'other ended', 'first ended'])
})
