import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isAlive } from './world/alive.ts'
import { freePort, holdPort } from '../../support/free-port.ts'
import { makePlace, type Place, type RunResult } from './world/place.ts'

let place: Place
let ports: { server: number; jupyter: number }
let interrupt: AbortController

beforeEach(async () => {
  place = await makePlace()
  await place.write(
    'notebooks/first.ipynb',
    '{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}',
  )
  ports = { server: await freePort(), jupyter: await freePort() }
  interrupt = new AbortController()
})
afterEach(async () => {
  interrupt.abort()
  await place[Symbol.asyncDispose]()
})

/** Start, and settle with what was printed as soon as a text matches; the end comes by Ctrl-C. */
function startUntil(
  pattern: RegExp,
  env: Readonly<Record<string, string>> = {},
): { seen: Promise<string>; ended: Promise<RunResult> } {
  const seen = Promise.withResolvers<string>()
  let text = ''
  const ended = place.run(args(), {
    env,
    isTTY: true,
    signal: interrupt.signal,
    onText(more) {
      text += more
      if (pattern.test(text)) seen.resolve(text)
    },
  })
  void ended.then((result) => seen.reject(new Error(`ended: ${JSON.stringify(result)}`)))
  return { seen: seen.promise, ended }
}

const args = (): readonly string[] => [
  ...['start', '--nodes', '2', '--port', String(ports.server), '--no-browser'],
  ...['--jupyter-port', String(ports.jupyter), '--notebook', 'notebooks/first.ipynb'],
]

const programPid = () => Number(readFileSync(join(place.home, 'program.pid'), 'utf8'))

it('brings both up, shows the server at the origin of JupyterLab, and leaves nothing after Ctrl-C', async () => {
  const { seen, ended } = startUntil(/Ctrl-C stops both/u)
  const text = await seen
  expect(text).toContain('note: it has no nodes')
  const [, url = ''] = /JupyterLab\s+(http:\S+)/u.exec(stripVTControlCharacters(text)) ?? []
  const { origin, pathname, searchParams } = new URL(url)
  expect(pathname).toBe('/lab/tree/notebooks/first.ipynb')
  const token = searchParams.get('token') ?? ''
  const ask = (path: string) =>
    fetch(origin + path, { headers: { authorization: `token ${token}`, cookie: 'a=b' } })

  const health = await ask('/communitylab/health')
  expect(await health.json()).toMatchObject({ status: 'ok' })
  const page = await (await ask('/lab')).text()
  expect(page).toContain('jupyter-config-data')
  expect((await fetch(`${origin}/communitylab/health`, { redirect: 'manual' })).status).not.toBe(
    200,
  )
  const kernels = (await (await ask('/api/kernelspecs')).json()) as { default: string }
  expect(kernels.default).toBe('communitylab')

  interrupt.abort()
  expect(await ended).toMatchObject({ code: 0 })
  expect(isAlive(programPid())).toBe(false)
  await expect(fetch(origin)).rejects.toThrow()
  await expect(fetch(`http://127.0.0.1:${ports.server}/health`)).rejects.toThrow()
})

it('refuses a second start beside the first, and the first goes on', async () => {
  const { seen, ended } = startUntil(/Ctrl-C stops both/u)
  await seen
  const second = await place.run(args())
  expect(second.code).toBe(1)
  expect(second.err).toContain('[LAB_CLI_TESTBED_RUNNING]')
  expect(isAlive(programPid())).toBe(true)
  interrupt.abort()
  await ended
})

it.each(['server', 'jupyter'] as const)(
  'starts nothing when the port for %s is in use, and says how to choose another',
  async (which) => {
    const { server, port } = await holdPort()
    ports[which] = port
    const { code, err } = await place.run(args())
    server.close()
    expect(code).toBe(1)
    expect(err).toContain(`port ${port}`)
    expect(err).toContain(which === 'server' ? '--port' : '--jupyter-port')
    expect(err).toContain('[LAB_PORT_IN_USE]')
    expect(existsSync(join(place.home, 'program.pid'))).toBe(false)
  },
)

it('says that it was stopped when Ctrl-C comes while the testbed comes up, and leaves nothing', async () => {
  const { seen, ended } = startUntil(/waiting/u, { TESTBED_PROGRAM: 'dawdles' })
  await seen
  interrupt.abort()
  const { code, err } = await ended
  expect(code).toBe(130)
  expect(err).toContain('stopped')
  expect(isAlive(programPid())).toBe(false)
})

it("says why the testbed refuses, in the testbed's own words", async () => {
  const { code, err } = await place.run(args(), { env: { TESTBED_PROGRAM: 'refuses' } })
  expect(code).toBe(1)
  expect(err).toContain("install Debian's package tinc [LAB_VCT_COMMAND_MISSING]")
})

it('says that the testbed ended, when it ends without a word', async () => {
  const { code, err } = await place.run(args(), { env: { TESTBED_PROGRAM: 'dies' } })
  expect(code).toBe(1)
  expect(err).toContain('exit code 7')
  expect(err).toContain('[LAB_VCT_POD_ENDED]')
})

it('takes JupyterLab down when the testbed goes away by itself, and fails', async () => {
  const { seen, ended } = startUntil(/Ctrl-C stops both/u)
  await seen
  process.kill(programPid(), 'SIGKILL')
  const { code, err } = await ended
  expect(code).toBe(1)
  expect(err).toContain('[LAB_VCT_POD_ENDED]')
  await expect(fetch(`http://127.0.0.1:${ports.jupyter}/lab`)).rejects.toThrow()
})

it('refuses a notebook that there is not', async () => {
  const { code, err } = await place.run(['start', '--notebook', 'nowhere.ipynb'])
  expect([code, err.includes('[LAB_CLI_NO_FILE]')]).toEqual([1, true])
})
