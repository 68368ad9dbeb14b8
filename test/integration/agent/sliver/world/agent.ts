import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import process from 'node:process'
import type {
  Capabilities,
  MemberError,
  RunReport,
  SampleRecord,
  SliverTarget,
} from '@community-lab/contract'
import type { SliverStatus, UnreadableSliver } from '../../../../../agent/src/plan/observed.ts'
import type { Place } from '../../../../support/place.ts'
import { mgmtPrefix, publicPrefix, sliverMacPrefix, type Machine } from './machine.ts'
import type { AgentSettings, Answer, CallName, Failure } from './protocol.ts'

/** An agent's slivers, on a machine of their own. */
export interface TestAgent extends AsyncDisposable {
  readonly capabilities: Capabilities
  readonly settings: AgentSettings
  /** Call a method with a target or an id. */
  call(
    name: Exclude<CallName, 'list' | 'unreadable' | 'problems' | 'samples' | 'runs'>,
    ...args: readonly unknown[]
  ): Promise<void>
  /** Call a method that is to fail; returns how it did. */
  failure(name: CallName, ...args: readonly unknown[]): Promise<Failure>
  /** Allocate, deploy and start; returns what came of it. */
  run(target: SliverTarget): Promise<SliverStatus>
  sliver(id: string): Promise<SliverStatus>
  list(): Promise<readonly SliverStatus[]>
  unreadable(): Promise<readonly UnreadableSliver[]>
  /** What it says is wrong with the node. */
  problems(): Promise<readonly MemberError[]>
  /** The samples that slivers have written, once there are so many. */
  samples(count: number): Promise<readonly SampleRecord[]>
  /** What it reports of runs. */
  runs(): Promise<readonly RunReport[]>
  /** Settles when it has told that this sliver ended by itself. */
  ended(id: string): Promise<void>
  /** What it has found changed on its host and mended, so far. */
  readonly findings: readonly string[]
  /** Settles with what it has found changed on its host and mended, once that says this. */
  found(text: string): Promise<string>
  /** End it at once, whatever it does. */
  kill(): Promise<void>
}

/** How an agent of a test is to be. */
export interface AgentOptions extends Pick<AgentSettings, 'runtime'> {
  /** Default: as much as there is. */
  readonly lendsMbps?: number | null
  /** Told of trouble with a sliver or the host. Default: the test fails. */
  readonly onProblem?: (message: string) => void
}

const checkout = resolve(import.meta.dirname, '../../../../..')

/** Start an agent's slivers on a machine. */
export async function startAgent(
  machine: Machine,
  place: Place,
  { runtime, lendsMbps = null, onProblem = fail }: AgentOptions,
): Promise<TestAgent> {
  const settings: AgentSettings = {
    dataDir: join(machine.dir, 'data'),
    runtime,
    lendsMbps,
    cgroupParent: `cl-test-${process.pid}-${runtime}`,
    mgmtPrefix,
    publicPrefix,
    sliverMacPrefix,
  }
  const seen = (path: string): string => path.replace(checkout, place.checkout)
  const program = [process.execPath, join(import.meta.dirname, 'agent-process.ts')].map(seen)
  const argv = machine.inside([...program, JSON.stringify(settings)])
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: machine.dir },
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  const endings = new Set<string>()
  const findings: string[] = []
  let wake: () => void = () => undefined
  const ready = Promise.withResolvers<Extract<Answer, { kind: 'ready' }>>()
  child.on('exit', () => ready.reject(new Error('the agent has ended')))
  child.on('message', (answer: Answer) => {
    if (answer.kind === 'ready') ready.resolve(answer)
    else if (answer.kind === 'problem') onProblem(`${answer.id}: ${answer.message}`)
    else if (answer.kind === 'ended') {
      endings.add(answer.id)
      wake()
    } else if (answer.kind === 'finding') {
      findings.push(answer.message)
      wake()
    } else waiting.get(answer.nr)?.(answer)
  })
  const { pid, capabilities } = await ready.promise
  let calls = 0

  function ask(name: CallName, args: readonly unknown[]): Promise<Answer> {
    const nr = ++calls
    const { promise, resolve: settle } = Promise.withResolvers<Answer>()
    waiting.set(nr, settle)
    child.send({ nr, name, args })
    return promise
  }

  async function value(name: CallName, ...args: readonly unknown[]): Promise<unknown> {
    const answer = await ask(name, args)
    if (answer.kind === 'answer') return answer.value
    throw new Error(`${name} failed: ${JSON.stringify(answer)}`)
  }

  async function list(): Promise<readonly SliverStatus[]> {
    return (await value('list')) as readonly SliverStatus[]
  }

  async function sliver(id: string): Promise<SliverStatus> {
    const found = (await list()).find((one) => one.id === id)
    if (found === undefined) throw new Error(`there is no sliver ${id}`)
    return found
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    await machine.sh(`kill -9 ${pid}`)
    await gone
  }

  return {
    capabilities,
    settings,
    list,
    unreadable: async () => (await value('unreadable')) as readonly UnreadableSliver[],
    problems: async () => (await value('problems')) as readonly MemberError[],
    runs: async () => (await value('runs')) as readonly RunReport[],
    findings,
    sliver,
    kill,
    async call(name, ...args) {
      await value(name, ...args)
    },
    async failure(name, ...args) {
      const answer = await ask(name, args)
      if (answer.kind === 'failure') return answer
      throw new Error(`${name} did not fail`)
    },
    async run(target) {
      for (const step of ['allocate', 'deploy', 'start'] as const) await value(step, target)
      return sliver(target.id)
    },
    async samples(count) {
      return (await value('samples', count)) as readonly SampleRecord[]
    },
    async ended(id) {
      while (!endings.has(id))
        await new Promise<void>((settle) => {
          wake = settle
        })
    },
    async found(text) {
      for (;;) {
        const finding = findings.find((one) => one.includes(text))
        if (finding !== undefined) return finding
        await new Promise<void>((settle) => {
          wake = settle
        })
      }
    },
    [Symbol.asyncDispose]: kill,
  }
}

function fail(message: string): never {
  throw new Error(message)
}
