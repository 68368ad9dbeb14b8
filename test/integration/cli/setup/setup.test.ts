import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runCommand } from '../../../../server/cli/setup/command.mjs'
import { forbidServices } from '../../../../server/cli/setup/debian.mjs'
import { SetupFailure, SetupStopped } from '../../../../server/cli/setup/failure.mjs'
import { holdLock } from '../../../../server/cli/setup/lock.mjs'
import { explainFailure, setUp, type Step } from '../../../../server/cli/setup/setup.mjs'
import {
  fingerprintOf,
  isStamped,
  removeStamp,
  writeStamp,
} from '../../../../server/cli/setup/stamp.mjs'
import { npmStep } from '../../../../server/cli/setup/step/npm.mjs'
import { pythonStep } from '../../../../server/cli/setup/step/python.mjs'
import { isAlive } from '../world/alive.ts'

let root: string
let printed: string
const output = { write: (text: string) => (printed += text) }

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lab setup ü (1) & co-'))
  printed = ''
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** A step as those of the set-up: done when its stamp tells of these sources. */
const copyStep = (work: Step['run'] = () => Promise.resolve()): Step => ({
  name: 'copying',
  why: ({ stamp }) => (isStamped(stamp('copy'), inputs()) ? null : 'the source has changed'),
  async run(setup) {
    removeStamp(setup.stamp('copy'))
    await work(setup)
    writeStamp(setup.stamp('copy'), inputs())
  },
})
const inputs = () => ({ source: fingerprintOf(root, ['source']) })

const prepare = (steps: readonly Step[], signal = new AbortController().signal) =>
  setUp({ purpose: 'run', root, output, signal, steps, env: { PATH: process.env['PATH'] } })

it('does a step once, and again when what it is made of has changed', async () => {
  let times = 0
  const step = copyStep(() => Promise.resolve(void (times += 1)))
  await mkdir(join(root, 'source'))
  await writeFile(join(root, 'source', 'a'), '1')
  await prepare([step])
  expect(printed).toMatch(
    /^set-up: copying \(the source has changed\): done, [\d.]+ s\nset-up: ready \(.*\)\n$/u,
  )
  printed = ''
  await prepare([step])
  expect(printed).toMatch(/^set-up: nothing to do \([\d.]+ s\)\n$/u)
  await writeFile(join(root, 'source', 'b'), '2')
  await prepare([step])
  expect(times).toBe(2)
})

it('does a step again that failed halfway, and says which it was and what to do', async () => {
  const failing = copyStep(() =>
    Promise.reject(new SetupFailure('copying', 'the disk is full', 'make room')),
  )
  const error: unknown = await prepare([failing]).catch((reason: unknown) => reason)
  expect(explainFailure(error, output)).toBe(1)
  expect(printed).toContain('error: copying: the disk is full; make room [LAB_SETUP_FAILED]\n')
  printed = ''
  await prepare([copyStep()])
  expect(printed).toContain('copying (the source has changed): done')
})

it('ends what a step runs on Ctrl-C, with all that it started, and says that it was stopped', async () => {
  const controller = new AbortController()
  const pidFile = join(root, 'pid')
  const script = `sleep 300 & echo $! > "${pidFile}"; echo started; wait`
  const step = copyStep(({ signal, log }) =>
    runCommand(['sh', '-c', script], {
      step: 'copying',
      signal,
      log: log('copy'),
      onLine: () => {
        controller.abort()
      },
    }),
  )
  const error: unknown = await prepare([step], controller.signal).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SetupStopped)
  expect(explainFailure(error, output)).toBe(130)
  expect(printed).toContain('copying (the source has changed): stopped')
  const pid = Number(await readFile(pidFile, 'utf8'))
  expect(isAlive(pid)).toBe(false)
  expect(existsSync(join(root, '.community-lab', 'setup', 'copy.json'))).toBe(false)
})

it('begins nothing when it is told to stop before', async () => {
  await expect(prepare([copyStep()], AbortSignal.abort())).rejects.toBeInstanceOf(SetupStopped)
})

it('waits while another set-up of the checkout works, and goes on when that one has ended', async () => {
  const release = await holdLock(root, {
    signal: new AbortController().signal,
    onWait: () => undefined,
  })
  const waited = Promise.withResolvers<string>()
  const second = holdLock(root, {
    signal: new AbortController().signal,
    onWait: (pid) => {
      waited.resolve(pid)
    },
  })
  expect(await waited.promise).toBe(String(process.pid))
  release()
  const releaseSecond = await second
  releaseSecond()
})

it('stops waiting for another set-up when it is told to', async () => {
  const release = await holdLock(root, {
    signal: new AbortController().signal,
    onWait: () => undefined,
  })
  const controller = new AbortController()
  const second = holdLock(root, {
    signal: controller.signal,
    onWait: () => {
      controller.abort()
    },
  })
  await expect(second).rejects.toBeInstanceOf(SetupStopped)
  release()
})

it('says to connect the machine when npm cannot reach its registry', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const address = closed.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  closed.close()
  await once(closed, 'close')
  const registry = `http://127.0.0.1:${port}/`
  const lock = {
    name: 'x',
    lockfileVersion: 3,
    packages: {
      '': { name: 'x', dependencies: { absent: '1.0.0' } },
      'node_modules/absent': {
        version: '1.0.0',
        resolved: `${registry}absent/-/absent-1.0.0.tgz`,
        integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
      },
    },
  }
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(lock))
  await writeFile(join(root, 'package.json'), JSON.stringify(lock.packages['']))
  const npmrc = [`registry=${registry}`, 'fetch-retries=0', `cache=${join(root, 'cache')}`]
  await writeFile(join(root, '.npmrc'), npmrc.join('\n'))
  const error: unknown = await prepare([npmStep]).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SetupFailure)
  explainFailure(error, output)
  expect(printed).toContain('the network did not answer: connect this machine')
})

it("installs what builds and tests a checkout, whatever the user's settings of npm leave out", async () => {
  const dev = { version: '1.0.0' }
  const top = { name: 'x', devDependencies: { dev: 'file:dev' } }
  const lock = {
    name: 'x',
    lockfileVersion: 3,
    packages: { '': top, dev, 'node_modules/dev': { resolved: 'dev', link: true, dev: true } },
  }
  await mkdir(join(root, 'dev'))
  await writeFile(join(root, 'dev/package.json'), JSON.stringify({ name: 'dev', ...dev }))
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(lock))
  await writeFile(join(root, 'package.json'), JSON.stringify(top))
  await writeFile(join(root, '.npmrc'), 'omit[]=dev\nomit[]=optional\npackage-lock=false\n')
  const env = { PATH: process.env['PATH'], NODE_ENV: 'production' }
  const { signal } = new AbortController()
  await setUp({ purpose: 'run', root, output, signal, steps: [npmStep], env })
  expect(existsSync(join(root, 'node_modules/dev/package.json'))).toBe(true)
})

it('says what to install when the Python that was chosen makes no virtual environments', async () => {
  const python = join(root, 'python')
  // Debian's without its wheels: it knows the modules, and fails when it is tried.
  const text =
    '#!/bin/sh\ncase $* in *ensurepip*) echo 3.11.2;; *) echo "no wheels"; exit 1;; esac\n'
  await writeFile(python, text, { mode: 0o755 })
  const env = { PATH: process.env['PATH'], COMMUNITY_LAB_PYTHON: python }
  const { signal } = new AbortController()
  const failing = setUp({ purpose: 'run', root, output, signal, steps: [pythonStep], env })
  explainFailure(await failing.catch((reason: unknown) => reason), output)
  expect(printed).toContain('no wheels\n')
  expect(printed).toContain(`no virtual environment can be made by ${python} (3.11.2)`)
  expect(printed).toContain('apt-get install python3 python3-venv')
})

it('lets no service start while packages are installed, and puts back what was there', async () => {
  const file = join(root, 'policy-rc.d')
  await writeFile(file, 'the own policy')
  const restore = forbidServices(file)
  expect(await readFile(file, 'utf8')).toContain('exit 101')
  // The process was killed here: the next one finds what it left.
  const restoreAgain = forbidServices(file)
  restoreAgain()
  expect(await readFile(file, 'utf8')).toBe('the own policy')
  restore()
  expect(await readFile(file, 'utf8')).toBe('the own policy')
})
