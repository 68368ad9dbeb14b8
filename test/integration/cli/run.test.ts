import { existsSync, readFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import Fastify from 'fastify'
import { isAlive } from './world/alive.ts'
import { freePort, holdPort } from '../../support/free-port.ts'
import { makePlace, type Place } from './world/place.ts'

let place: Place
let notebook: string

/** Takes the place of the program that executes notebooks: it notes its arguments, and ends as the test says. */
const program = `
import json, os, sys, time
if "--check" in sys.argv:
    sys.exit(int(os.environ.get("CHECK_ENDS_WITH", "0")))
told = {"args": sys.argv[1:], "credentials": os.environ.get("COMMUNITY_LAB_CREDENTIALS"), "path": os.environ["JUPYTER_PATH"]}
open(os.environ["TOLD"], "w").write(json.dumps(told))
if os.environ.get("DAWDLES"):
    time.sleep(300)
if "--failure-to" in sys.argv and os.environ.get("ENDS_WITH"):
    os.write(int(sys.argv[sys.argv.index("--failure-to") + 1]), json.dumps({"code": "LAB_NOTEBOOK_CELL_FAILED", "sentence": "cell 1 of 2 failed"}).encode())
sys.exit(int(os.environ.get("ENDS_WITH", "0")))
`

const document = {
  metadata: { kernelspec: { language: 'typescript' } },
  cells: [
    {
      cell_type: 'code',
      source: ['let n = 1\n', "let m = ''"],
      metadata: { tags: ['parameters'] },
    },
  ],
}

beforeEach(async () => {
  place = await makePlace()
  notebook = await place.write('a.ipynb', JSON.stringify(document))
  await place.write('server/cli/jupyter/run_notebook.py', program)
})
afterEach(() => place[Symbol.asyncDispose]())

const toldFile = () => join(place.checkout, 'told.json')
const told = () => JSON.parse(readFileSync(toldFile(), 'utf8')) as Record<string, unknown>
const programPid = () => Number(readFileSync(join(place.home, 'program.pid'), 'utf8'))

it('brings a testbed up for the notebook, hands it over, and takes it down afterwards', async () => {
  const port = await freePort()
  const options = [
    '--output',
    join(place.checkout, 'o.ipynb'),
    '--param',
    'n=3',
    '--param',
    'm=x y',
  ]
  const { code, err } = await place.run(['run', notebook, '--port', String(port), ...options], {
    env: { TOLD: toldFile() },
  })
  expect(code).toBe(0)
  expect(err).toContain('one is brought up')
  expect(told()).toEqual({
    args: [
      notebook,
      '--output',
      join(place.checkout, 'o.ipynb'),
      '--inject',
      '// Parameters\n{\n  n = 3\n  m = "x y"\n}',
    ],
    credentials: join(place.home, 'credentials.json'),
    path: join(place.checkout, '.venv/share/jupyter'),
  })
  expect(isAlive(programPid())).toBe(false)
})

it('fails as the notebook does, and takes the testbed down all the same', async () => {
  const port = await freePort()
  const { code } = await place.run(['run', notebook, '--port', String(port)], {
    env: { TOLD: toldFile(), ENDS_WITH: '1' },
  })
  expect(code).toBe(1)
  expect(isAlive(programPid())).toBe(false)
})

it('with --json tells a failed cell as JSON, a document a line with all that went before', async () => {
  const port = await freePort()
  const { code, out } = await place.run(['run', notebook, '--port', String(port), '--json'], {
    env: { TOLD: toldFile(), ENDS_WITH: '1' },
  })
  expect(code).toBe(1)
  const documents = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(documents.at(-1)).toMatchObject({
    error: { code: 'LAB_NOTEBOOK_CELL_FAILED', detail: 'cell 1 of 2 failed' },
  })
})

it('uses the testbed that runs', async () => {
  const server = Fastify()
  server.get('/health', () => ({ status: 'ok', version: '0.1.0', parts: {} }))
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const credentials = await place.write(
    '.community-lab/credentials.json',
    JSON.stringify({ url, token: 'secret' }),
  )
  const { code } = await place.run(['run', notebook], { env: { TOLD: toldFile() } })
  await server.close()
  expect(code).toBe(0)
  expect(told()['credentials']).toBe(credentials)
  expect(existsSync(join(place.home, 'program.pid'))).toBe(false)
})

it('brings no virtual testbed up in place of another that does not answer', async () => {
  const file = await place.write('other.json', '{"url":"http://127.0.0.1:9","token":"secret"}')
  const { code, err } = await place.run(['run', notebook], {
    env: { TOLD: toldFile(), COMMUNITY_LAB_CREDENTIALS: file },
  })
  expect([code, err.includes('[LAB_CONNECTION_FAILED]')]).toEqual([1, true])
  expect(existsSync(toldFile())).toBe(false)
})

it('stops the notebook and the testbed on Ctrl-C', async () => {
  const interrupt = new AbortController()
  const changes = watch(place.checkout, { signal: interrupt.signal })
  const ended = place.run(['run', notebook, '--port', String(await freePort())], {
    env: { TOLD: toldFile(), DAWDLES: '1' },
    signal: interrupt.signal,
  })
  for await (const { filename } of changes) if (filename === 'told.json') break
  interrupt.abort()
  expect((await ended).code).toBe(130)
  expect(isAlive(programPid())).toBe(false)
})

it('brings no testbed up for a notebook that cannot be run', async () => {
  const { code, err } = await place.run(['run', notebook], {
    env: { TOLD: toldFile(), CHECK_ENDS_WITH: '1' },
  })
  expect([code, err]).toEqual([1, ''])
  expect(existsSync(toldFile())).toBe(false)
})

it.for([
  [document, 'n=1e400', '[LAB_NOTEBOOK_PARAMETER]'],
  [document, 'k=1', 'there are: n, m'],
  [{ ...document, cells: [] }, 'n=1', 'has no parameters'],
  [{ ...document, metadata: { kernelspec: { language: 'python' } } }, 'n=1', 'is in python'],
  [[], 'n=1', 'is not a notebook'],
] as const)(
  'starts nothing when a parameter cannot be set: %j, %s',
  async ([written, given, why]) => {
    await place.write('a.ipynb', JSON.stringify(written))
    const { code, err } = await place.run(['run', notebook, '--param', given])
    expect(code).toBe(1)
    expect(err).toMatch(/^error: .*\]\n$/u)
    expect(err).toContain(why)
    expect(existsSync(join(place.home, 'program.pid'))).toBe(false)
  },
)

it('refuses, before anything starts, a parameter without a value, a notebook that is not there, a port in use', async () => {
  const wrong = await place.run(['run', notebook, '--param', 'n'])
  expect([wrong.code, wrong.err.includes('NAME=VALUE')]).toEqual([2, true])
  const absent = await place.run(['run', 'absent.ipynb'])
  expect([absent.code, absent.err.includes('[LAB_CLI_NO_FILE]')]).toEqual([1, true])
  const { server, port } = await holdPort()
  const busy = await place.run(['run', notebook, '--port', String(port)])
  server.close()
  expect([busy.code, busy.err.includes('[LAB_PORT_IN_USE]')]).toEqual([1, true])
  expect(existsSync(join(place.home, 'program.pid'))).toBe(false)
})
