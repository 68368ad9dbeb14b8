import { expect, it } from 'vitest'
import { describeStep, maybeProgress } from '../../../server/cli/src/testbed/progress.ts'

it('reads a step, an error and the line that says that all is up', () => {
  const ready = {
    url: 'http://127.0.0.1:8080',
    socket: '/h/run/server.sock',
    vctSocket: '/h/run/vct.sock',
    home: '/h',
    credentialsFile: '/h/credentials.json',
    mode: 'root',
    lacks: [],
  }
  expect(maybeProgress('{"step":"links","state":"done","ms":12}')?.kind).toBe('step')
  expect(maybeProgress(JSON.stringify({ ready, more: 1 }))).toEqual({ kind: 'ready', ready })
  const problem = { type: 't', title: 't', status: 500, detail: 'd', code: 'LAB_X', details: {} }
  expect(maybeProgress(JSON.stringify({ error: problem }))).toEqual({ kind: 'error', problem })
})

it.each(['', '(node:7) Warning: something', '{"step":', '{"ready":{}}', '[]'])(
  'takes %j for no progress',
  (line) => {
    expect(maybeProgress(line)).toBeNull()
  },
)

it('says of a step how it ended, and on the way what it is at', () => {
  expect(describeStep({ step: 'nodes', state: 'start' })).toBe('testbed: nodes …')
  expect(describeStep({ step: 'nodes', state: 'progress', message: '3 of 5' })).toBe(
    'testbed: nodes: 3 of 5',
  )
  expect(describeStep({ step: 'nodes', state: 'done', ms: 2_100 })).toBe(
    'testbed: nodes: done, 2.1 s',
  )
})
