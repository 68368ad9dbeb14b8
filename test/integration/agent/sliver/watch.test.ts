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
  const watched = new Map([
    ['first', first],
    ['other', other],
  ])
  const watch = createWatch({
    watched: () => watched,
    pauseMs: () => 1,
    isWell({ pid }) {
      if (pid === 2) return Promise.resolve(false)
      const answer = answers[look++]
      if (answer === 'alive' || answer === 'ended') return Promise.resolve(answer === 'alive')
      return Promise.reject(Object.assign(new Error('no'), { code: answer }))
    },
    onUnwell(key) {
      said.push(`${key} ended`)
      watched.delete(key)
      if (key === 'first') ended.resolve(null)
      return Promise.resolve()
    },
    onError: (key) => said.push(`${key} cannot be looked at`),
  })
  await ended.promise
  await watch.close()
  expect(said).toEqual(['first cannot be looked at', 'other ended', 'first ended'])
})

it('tells of an end again when what follows from it has failed, so that no end is lost', async () => {
  const said: string[] = []
  const done = Promise.withResolvers<null>()
  const watched = new Map([['first', first]])
  const watch = createWatch({
    watched: () => watched,
    pauseMs: () => 1,
    isWell: () => Promise.resolve(false),
    onUnwell(key) {
      said.push(`${key} ended`)
      if (said.length < 4) return Promise.reject(new Error('too many open files'))
      watched.delete(key)
      done.resolve(null)
      return Promise.resolve()
    },
    onError: (key, error) => said.push(`${key}: ${String(error)}`),
  })
  await done.promise
  await watch.close()
  // The trouble is told once.
  expect(said).toEqual([
    'first ended',
    'first: Error: too many open files',
    'first ended',
    'first ended',
  ])
})
